// What a user may get wrong on the command line: exit 2, one clear line, nothing started, nothing written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class UsageTest : public testing::Test {
 protected:
  void ExpectUsageError(const std::vector<std::string>& arguments, const std::string& message,
                        const Environment& environment = {}) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const Ended ended = box_.Run(arguments, environment);
    EXPECT_EQ(ended.code, 2) << ended.out << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(message));
    EXPECT_THAT(ended.out, IsEmpty());
    EXPECT_FALSE(fs::exists(box_.work() / "exports"));
    EXPECT_THAT(box_.Leftovers(), IsEmpty());
  }
  Sandbox box_;
};

TEST_F(UsageTest, Models) {
  box_.File("weights.pt", "no checkpoint");
  box_.File("folder/notes.txt", "no model");
  box_.File("a/model.onnx", "x");
  ExpectUsageError({"export"}, "MODEL");
  ExpectUsageError({"export", "missing.onnx"}, "missing.onnx: no such file or folder");
  ExpectUsageError({"export", "folder"}, "folder holds no .onnx file");
  ExpectUsageError({"export", "weights.pt"}, "ARCH@weights.pt");
  ExpectUsageError({"export", "mtcnn-pnet"}, "mtcnn-pnet needs weights");
  ExpectUsageError({"export", "mtcnn-pmet@weights.pt"}, "did you mean mtcnn-pnet");
  ExpectUsageError({"export", "mtcnn-pmet"}, "did you mean mtcnn-pnet");
  ExpectUsageError({"export", "mtcnn-pnet@missing.pt"}, "missing.pt: no such file");
  ExpectUsageError({"export", "mtcnn-pnet", "mtcnn-rnet", "--weights", "weights.pt"}, "exactly one MODEL");
  ExpectUsageError({"export", "n=a/model.onnx", "n=mtcnn-pnet@weights.pt"}, "two models are named 'n'");
  ExpectUsageError({"export", "a/model.onnx", "a/model.onnx"}, "NAME=MODEL");
  ExpectUsageError({"export", "..=a/model.onnx"}, "cannot be named '..'");
  ExpectUsageError({"export", "manifest.json=a/model.onnx"}, "cannot be named 'manifest.json'");
}

TEST_F(UsageTest, BuiltInClassifiers) {
  box_.File("weights.pt", "no checkpoint");
  box_.File("model.onnx", "x");
  ExpectUsageError({"export", "lite", "--dummy", "--num-classes", "0"}, "--num-classes");
  ExpectUsageError({"export", "lite", "--dummy", "--input-size", "16"}, "--input-size");
  ExpectUsageError({"export", "mtcnn-pnet", "--dummy", "--input-size", "64"}, "mtcnn-pnet is no classifier");
  ExpectUsageError({"export", "model.onnx", "--num-classes", "7"}, "not for model.onnx");
  ExpectUsageError({"export", "lite@weights.pt", "--dummy"}, "'lite@weights.pt' has its own");
  ExpectUsageError({"export", "model.onnx", "--dummy"}, "'model.onnx' has its own");
  ExpectUsageError({"export", "lite", "--dummy", "--weights", "weights.pt"}, "give one of them");
  ExpectUsageError({"export", "lte", "--dummy"}, "did you mean lite");
  ExpectUsageError({"export", "lite", "lite", "--dummy"}, "NAME=MODEL");
}

TEST_F(UsageTest, Interface) {
  box_.File("m.onnx", "x");
  ExpectUsageError({"export", "lite", "--dummy", "--preset", "detector"}, "there is no preset 'detector'");
  ExpectUsageError({"export", "mtcnn-pnet", "--dummy", "--preset", "classifier"}, "mtcnn-pnet is no classifier");
  ExpectUsageError({"export", "m.onnx", "--fix", "threshold"}, "not NAME=VALUES");
  ExpectUsageError({"export", "m.onnx", "--fix", "threshold=high"}, "not NAME=VALUES");
  ExpectUsageError({"export", "m.onnx", "--fix", "a=1", "--fix", "a=2"}, "'a' is given twice");
  ExpectUsageError({"export", "m.onnx", "--mean", "0.5,x"}, "--mean: 'x' is not a number");
  ExpectUsageError({"export", "m.onnx", "--std", "0.5,0"}, "--std: 0 is not above 0");
  ExpectUsageError({"export", "m.onnx", "--mean", "1,2", "--std", "1,2,3"}, "--mean gives 2 values, --std 3");
  ExpectUsageError({"export", "m.onnx", "--scale", "0"}, "--scale");
  ExpectUsageError({"export", "m.onnx", "--io-layout", "nwhc"}, "there is no layout 'nwhc'");
  ExpectUsageError({"export", "m.onnx", "--cut-outputs", "a,b,a"}, "--cut-outputs: 'a' is there twice");
}

TEST_F(UsageTest, Labels) {
  box_.File("pets.txt", "cat\ndog\n");
  box_.File("gap.txt", "cat\n\ndog\n");
  box_.File("latin1.txt", "cat\nb\xeate\n");
  box_.File("none.txt", "\n");
  const auto error = [&](const std::string& file, const std::string& expected) {
    ExpectUsageError({"export", "lite", "--dummy", "--num-classes", "7", "--labels", file}, expected);
  };
  error("nowhere.txt", "--labels nowhere.txt: No such file");
  error("none.txt", "it is empty");
  error("gap.txt", "line 2 is empty");
  error("latin1.txt", "line 2 is no UTF-8 text");
  error("pets.txt", "--labels pets.txt names 2 classes, --num-classes says 7");
}

TEST_F(UsageTest, Pairs) {
  box_.File("m.onnx", "x");
  ExpectUsageError({"export", "m.onnx", "--target", "torchscript"}, "there is no target 'torchscript'");
  ExpectUsageError({"export", "m.onnx", "--precision", "fp12"}, "there is no precision 'fp12'");
  ExpectUsageError({"export", "m.onnx", "--target", "ncnn", "--precision", "int16x8"}, "ncnn int16x8");
}

TEST_F(UsageTest, Values) {
  box_.File("m.onnx", "x");
  ExpectUsageError({"export", "m.onnx", "--samples", "0"}, "--samples: '0' is not a whole number");
  ExpectUsageError({"export", "m.onnx", "--samples", "8x"}, "--samples: '8x' is not a whole number");
  ExpectUsageError({"export", "m.onnx", "--opset", "6"}, "from 7 to 26");
  ExpectUsageError({"export", "m.onnx", "--tolerance", "-1"}, "--tolerance");
  ExpectUsageError({"export", "m.onnx", "--timeout", "soon"}, "--timeout: 'soon' is not a time");
  ExpectUsageError({"export", "m.onnx", "--shape", "image"}, "not NAME=SIZES");
  ExpectUsageError({"export", "m.onnx", "--shape", "image=1,0,3"}, "not NAME=SIZES");
  ExpectUsageError({"export", "m.onnx", "--shape", "a=1", "--shape", "a=2"}, "'a' is given twice");
  ExpectUsageError({"export", "m.onnx", "--no-such-flag"}, "no-such-flag");
  ExpectUsageError({"no-such-verb"}, "no-such-verb");
  ExpectUsageError({"export", "m.onnx"}, "SLIPWAY_NO_VERIFY: 'maybe'", {{"SLIPWAY_NO_VERIFY", "maybe"}});
  ExpectUsageError({"status"}, "--server");
  ExpectUsageError({"export", "m.onnx", "--detach"}, "--detach needs a farm that stays");
  ExpectUsageError({"export", "m.onnx", "--on-interrupt", "detach"}, "--on-interrupt detach needs a farm that stays");
  ExpectUsageError({"export", "m.onnx", "--on-interrupt", "leave"}, "'leave' is neither cancel nor detach");
  ExpectUsageError({"export", "m.onnx", "--timeout", "9000h"}, "--timeout: 9000h is longer than 8760h");
  ExpectUsageError({"export", "m.onnx", "--priority", "101"}, "--priority: '101' is not a whole number");
}

// A flag that does nothing beside the others is told on stderr; the command goes on as it would without it. Here: until it
// finds no redis-server, or nobody at its --server's address.
TEST_F(UsageTest, IdleFlags) {
  box_.File("m.onnx", "x");
  const std::string nobody = "unix:" + (box_.work() / "farm.sock").string();
  box_.File("farm.yaml", "server: " + nobody + "\n");
  box_.File("mine.yaml", "jobs: 4\ncache-dir: kept\ntls: true\ntoken-file: token\n");
  const auto warnings = [&](const std::vector<std::string>& arguments, Environment environment = {}) {
    environment["PATH"] = "/nonexistent";
    const Ended ended = box_.Run(arguments, environment);
    EXPECT_EQ(ended.code, 5) << testing::PrintToString(arguments) << ended.err;
    EXPECT_THAT(ended.out, Not(HasSubstr("warning")));
    std::vector<std::string> lines;
    std::istringstream errors(ended.err);
    for (std::string line; std::getline(errors, line);) {
      if (line.starts_with("slipway: warning: ")) lines.push_back(line.substr(18));
    }
    return lines;
  };
  const auto exporting = [&](std::vector<std::string> arguments, const Environment& environment = {}) {
    arguments.insert(arguments.begin(), {"export", "m.onnx", "--target", "onnx"});
    return warnings(arguments, environment);
  };
  const Environment farm = {{"SLIPWAY_SERVER", nobody}};
  EXPECT_THAT(exporting({"--jobs", "4", "--server", nobody, "--json"}),
              ElementsAre("--jobs does nothing beside --server: that farm's workers have their own --slots"));
  EXPECT_THAT(exporting({"--jobs", "4", "--python", "python3", "--cache-dir", "kept"}, farm),
              ElementsAre(HasSubstr("--jobs does nothing beside SLIPWAY_SERVER: "),
                          HasSubstr("--python does nothing beside SLIPWAY_SERVER: "),
                          HasSubstr("--cache-dir does nothing beside SLIPWAY_SERVER: ")));
  EXPECT_THAT(exporting({"--no-cache", "--config", "farm.yaml"}),
              ElementsAre(HasSubstr("--no-cache does nothing beside the config file's 'server': ")));
  EXPECT_THAT(exporting({"--detach", "--out", "exports", "--on-interrupt", "cancel"}, farm),
              ElementsAre(HasSubstr("--out does nothing beside --detach: `slipway fetch REQUEST --out DIR`"),
                          HasSubstr("--on-interrupt does nothing beside --detach: ")));
  EXPECT_THAT(exporting({"--no-cache", "--cache-dir", "kept", "--no-verify", "--tolerance", "1e-3"}),
              ElementsAre("--cache-dir does nothing beside --no-cache: nothing is kept",
                          "--tolerance does nothing beside --no-verify: nothing is compared"));
  EXPECT_THAT(warnings({"top", "--once", "--every", "3s"}, farm),
              ElementsAre("--every does nothing beside --once: there is one look"));
  for (const std::string flag : {"--tls", "--insecure"})
    EXPECT_THAT(exporting({flag}), ElementsAre(HasSubstr(flag + " does nothing without --server: ")));
  for (const std::string flag : {"--tls-ca", "--tls-cert", "--tls-key", "--token-file"})
    EXPECT_THAT(exporting({flag, "file"}), ElementsAre(HasSubstr(flag + " does nothing without --server: ")));
  EXPECT_THAT(warnings({"doctor", "--tls"}), ElementsAre(HasSubstr("--tls does nothing without --server: ")));

  // What the environment or the config file says is for many commands; a switch that is off says nothing; what
  // --priority asks for, a farm of one's own does anyway.
  EXPECT_THAT(exporting({}, {{"SLIPWAY_TLS", "1"}, {"SLIPWAY_TOKEN_FILE", "token"}, {"SLIPWAY_INSECURE", "1"}}),
              IsEmpty());
  EXPECT_THAT(exporting({"--config", "mine.yaml"}), IsEmpty());
  EXPECT_THAT(exporting({"--tls=0", "--insecure=0", "--no-cache=0", "--cache-dir", "kept", "--priority", "5"}),
              IsEmpty());
  EXPECT_THAT(exporting({"--server", nobody}, {{"SLIPWAY_NO_CACHE", "1"}, {"SLIPWAY_PYTHON", "python3"}}), IsEmpty());
  EXPECT_THAT(warnings({"doctor", "--python", "python3", "--server", nobody}), IsEmpty());
}

TEST_F(UsageTest, Config) {
  box_.File("m.onnx", "x");
  box_.File("typo.yaml", "tarjet: onnx\n");
  box_.File("list.yaml", "- onnx\n");
  box_.File("broken.yaml", "target: [onnx\n");
  box_.File("two.yaml", "samples: [1, 2]\n");
  ExpectUsageError({"export", "m.onnx", "--config", "/"}, "config file: read /: Is a directory");
  ExpectUsageError({"list", "--server", "http://farm:1"},
                   "--server: \"http://farm:1\" is no address: it needs no scheme");
  ExpectUsageError({"list", "--server", "farm"}, "--server: \"farm\" is no address: the port is missing");
  ExpectUsageError({"list", "--server", "farm:1", "--tls-cert", "x"}, "--tls-cert x: a TLS certificate goes with");
  ExpectUsageError({"export", "m.onnx", "--config", "missing.yaml"},
                   "config file: open missing.yaml: No such file or directory");
  ExpectUsageError({"export", "m.onnx", "--config", "typo.yaml"}, "there is no flag 'tarjet': did you mean target");
  ExpectUsageError({"export", "m.onnx", "--config", "list.yaml"}, "is no map");
  ExpectUsageError({"export", "m.onnx", "--config", "broken.yaml"}, "is no YAML: line");
  ExpectUsageError({"export", "m.onnx", "--config", "two.yaml"}, "'samples' takes one value");
}

// Each source names a target that does not exist: the error says whose word counted.
TEST_F(UsageTest, FlagBeatsEnvironmentBeatsConfig) {
  box_.File("m.onnx", "x");
  box_.File("c.yaml", "target: [from-config]\nsamples: 3\n");
  const Environment environment = {{"SLIPWAY_TARGET", "from-environment"}};
  ExpectUsageError({"export", "m.onnx", "--config", "c.yaml", "--target", "from-flag"}, "'from-flag'", environment);
  ExpectUsageError({"export", "m.onnx", "--config", "c.yaml"}, "'from-environment'", environment);
  ExpectUsageError({"export", "m.onnx", "--config", "c.yaml"}, "'from-config'");
  ExpectUsageError({"export", "m.onnx"}, "'from-config'", {{"SLIPWAY_CONFIG", "c.yaml"}});
  ExpectUsageError({"export", "m.onnx"}, "'b'", {{"SLIPWAY_TARGET", "onnx,b"}});
}

TEST_F(UsageTest, VersionNeedsNothing) {
  for (const char* argument : {"--version", "version"}) {
    const Ended ended = box_.Run({argument}, {{"PATH", "/nonexistent"}});
    EXPECT_EQ(ended.code, 0);
    EXPECT_THAT(ended.out, testing::MatchesRegex("slipway [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  }
}

// One table makes flags, variables and help: every flag that help shows has its variable beside it.
TEST_F(UsageTest, HelpNamesEveryVariable) {
  const Ended ended = box_.Run({"export", "--help"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr("Examples:\n  slipway export model.onnx"));
  std::istringstream lines(ended.out);
  std::set<std::string> flags;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  --")) continue;
    const std::string name = line.substr(4, line.find_first_of(" ", 4) - 4);
    std::string variable = "[SLIPWAY_";
    for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
    EXPECT_THAT(line, HasSubstr(variable + "]"));
    flags.insert(name);
  }
  for (const char* name :
       {"target", "precision", "out", "samples", "shape", "json", "server", "no-verify", "timeout", "config"}) {
    EXPECT_TRUE(flags.contains(name)) << name;
  }
}

TEST_F(UsageTest, NoRedisServerIsTheMachinesFault) {
  box_.File("m.onnx", "x");
  const Ended ended = box_.Run({"export", "m.onnx", "--target", "onnx"}, {{"PATH", "/nonexistent"}});
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.err, HasSubstr("sudo apt-get install redis-server"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
}

TEST_F(UsageTest, ServerThatDoesNotAnswerIsTheMachinesFault) {
  box_.File("m.onnx", "x");
  const std::string nobody = "unix:" + (box_.work() / "nobody.sock").string();
  const Ended ended = box_.Run({"export", "m.onnx", "--target", "onnx", "--server", nobody, "--json"});
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.out, HasSubstr("\"exit_code\":5"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
}

// What a coordinator's own flags and files rule out is said at once, not after it has waited for a Redis that is not there.
TEST_F(UsageTest, ACoordinatorsFilesAreReadBeforeRedisIsAsked) {
  const auto refused = [&](std::vector<std::string> flags, const std::string& message) {
    flags.insert(flags.end(), {"--redis", "unix:" + (box_.work() / "nobody.sock").string(), "--store",
                               (box_.work() / "store").string()});
    const Ended ended = box_.StartProgram(SLIPWAY_BIN_DIR "/slipway-coordinator", flags)->Wait();
    EXPECT_EQ(ended.code, 2) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr(message), Not(HasSubstr("Redis"))));
  };
  const std::string file = box_.File("file", "neither certificate nor token\n").string();
  refused({"--listen", "127.0.0.1:0", "--tls-cert", "nowhere.pem", "--tls-key", file}, "nowhere.pem");
  refused({"--listen", "127.0.0.1:0", "--tls-cert", file, "--tls-key", file}, "--tls-key " + file);
  refused({"--listen", "127.0.0.1:0", "--tokens", "nowhere"}, "`slipway token new --tokens nowhere` makes the file");
  refused({"--listen", "127.0.0.1:0", "--tokens", file}, "--tokens: ");
  refused({"--listen", "127.0.0.1:0", "--audit-log", "nowhere/audit"}, "nowhere/audit");
  refused({"--listen", "0.0.0.0:0"}, "nothing on it would be encrypted");
  EXPECT_FALSE(fs::exists(box_.work() / "store"));
}

}  // namespace
}  // namespace slipway
