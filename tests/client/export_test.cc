// slipway export from arguments to files, over the real embedded farm: real redis-server, coordinator, worker, judges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/base/digest.h"
#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class ExportTest : public testing::Test {
 protected:
  // What must hold after every run that writes a manifest.
  json Manifest(const std::string& out = "exports") {
    const std::string text = ReadAll(box_.work() / out / "manifest.json");
    EXPECT_THAT(SchemaErrors(text), IsEmpty()) << text;
    EXPECT_THAT(box_.Leftovers(), IsEmpty());
    const Ended verified = box_.Run({"verify", out});
    EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
    for (const auto& entry : fs::directory_iterator(box_.work() / out)) {
      EXPECT_THAT(entry.path().filename().string(), Not(testing::StartsWith(".slipway")));
    }
    json manifest = json::parse(text, nullptr, false);
    return manifest.is_object() ? manifest : json{{"models", json::array()}};
  }
  static std::map<std::string, std::string> Statuses(const json& manifest) {
    std::map<std::string, std::string> statuses;
    for (const json& model : manifest["models"]) {
      for (const json& artifact : model["artifacts"]) {
        statuses[model["model"].get<std::string>() + " " + artifact["target"].get<std::string>()] = artifact["status"];
      }
    }
    return statuses;
  }
  static std::string PNet() { return "mtcnn-pnet@" + Weights("pnet"); }
  Sandbox box_;
};

TEST_F(ExportTest, TrainedNetsInAllFourFormats) {
  const Ended ended =
      box_.Run({"export", PNet(), "mtcnn-rnet@" + Weights("rnet"), "mtcnn-onet@" + Weights("onet"), "--target", "all"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  const json manifest = Manifest();
  ASSERT_EQ(manifest["models"].size(), 3u);
  const std::map<std::string, double> limits = {{"onnx", 1e-5}, {"coreml", 1e-5}, {"tflite", 1e-4}, {"ncnn", 1e-4}};
  for (const json& model : manifest["models"]) {
    EXPECT_EQ(model["source"]["kind"], "checkpoint");
    EXPECT_THAT(model["reference"].get<std::string>(), HasSubstr("facenet-pytorch"));
    ASSERT_EQ(model["artifacts"].size(), 4u);
    for (const json& artifact : model["artifacts"]) {
      SCOPED_TRACE(model["model"].get<std::string>() + " " + artifact["target"].get<std::string>());
      EXPECT_EQ(artifact["status"], "passed") << artifact["reason"];
      const fs::path path = box_.work() / "exports" / artifact["path"].get<std::string>();
      EXPECT_TRUE(fs::exists(path));
      EXPECT_TRUE(json::accept(ReadAll(path.parent_path() / "parity.json")));
      EXPECT_EQ(artifact["parity"]["samples"].get<int>() >= 2, true);
      for (const json& run : artifact["parity"]["runs"]) {
        for (const json& output : run["outputs"]) {
          EXPECT_LT(output["l_inf_scaled"].get<double>(), limits.at(artifact["target"]));
        }
      }
    }
  }
}

TEST_F(ExportTest, WithoutVerification) {
  const Ended ended = box_.Run({"export", PNet(), "--target", "onnx", "--no-verify", "--out", "o/p"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const json manifest = Manifest("o/p");
  EXPECT_EQ(manifest["models"][0]["artifacts"][0]["status"], "unverified");
  EXPECT_THAT(manifest["models"][0]["artifacts"][0]["reason"].get<std::string>(), HasSubstr("--no-verify"));
  EXPECT_THAT(manifest["reproduce"].get<std::string>(), HasSubstr("--no-verify"));
}

TEST_F(ExportTest, JsonEvents) {
  const Ended ended = box_.Run({"export", "eyes=" + PNet(), "--target", "onnx", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  std::istringstream lines(ended.out);
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) {
    events.push_back(json::parse(line, nullptr, false));
    ASSERT_FALSE(events.back().is_discarded()) << line;
  }
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(events.front()["event"], "started");
  EXPECT_EQ(events.front()["cells"], 1);
  EXPECT_EQ(events.back()["event"], "finished");
  EXPECT_EQ(events.back()["exit_code"], 0);
  EXPECT_EQ(events.back()["manifest"], "exports/manifest.json");
  int passed = 0;
  for (const json& event : events) {
    if (event["event"] != "cell" || event["state"] != "passed") continue;
    ++passed;
    EXPECT_EQ(event["model"], "eyes");
    EXPECT_EQ(event["path"], "eyes/onnx-fp32/eyes.onnx");
  }
  EXPECT_EQ(passed, 1);
  Manifest();
}

TEST_F(ExportTest, TerminalGetsALiveTableOf80Columns) {
  for (const bool colour : {true, false}) {
    const Ended ended = box_.RunOnTerminal({"export", PNet(), "--target", "onnx,ncnn"},
                                           {{"TERM", "xterm"}, {"NO_COLOR", colour ? "" : "1"}});
    EXPECT_EQ(ended.code, 0) << ended.out;
    EXPECT_THAT(ended.out, HasSubstr("\x1b["));  // redrawn in place
    EXPECT_EQ(ended.out.find("\x1b[32m") != std::string::npos, colour);
    EXPECT_THAT(ended.out, HasSubstr("manifest: exports/manifest.json"));
    // What is redrawn never wraps: else the cursor goes up too few lines.
    size_t width = 0;
    for (size_t i = 0; i < ended.out.size(); ++i) {
      if (ended.out[i] == '\x1b') {
        while (i < ended.out.size() && std::isalpha(static_cast<unsigned char>(ended.out[i])) == 0) ++i;
      } else if (ended.out[i] == '\n' || ended.out[i] == '\r') {
        width = 0;
      } else if ((static_cast<unsigned char>(ended.out[i]) & 0xc0) != 0x80) {
        EXPECT_LE(++width, 80u);
      }
    }
  }
}

// Names are made before anything is read, so that files which are no models show them too.
TEST_F(ExportTest, NamesComeFromStemsAndFolders) {
  for (const char* file :
       {"a/model.onnx", "b/model.onnx", "x/c/model.onnx", "y/c/model.onnx", "zoo/one.onnx", "zoo/two words.onnx"}) {
    box_.File(file, "no model");
  }
  const Ended ended = box_.Run(
      {"export", "a/model.onnx", "b/model.onnx", "x/c/model.onnx", "y/c/model.onnx", "zoo", "--target", "onnx"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  std::set<std::string> names;
  const json manifest = Manifest();
  for (const json& model : manifest["models"]) names.insert(model["model"].get<std::string>());
  EXPECT_THAT(names, UnorderedElementsAre("a-model", "b-model", "x-c-model", "y-c-model", "one", "two-words"));
}

TEST_F(ExportTest, ABadModelNeverLosesTheRest) {
  const std::string weights = ReadAll(Weights("rnet"));
  box_.File("cut.pt", weights.substr(0, weights.size() / 2));
  box_.File("no-model.onnx", "no model");
  const Ended ended = box_.Run({"export", PNet(), "mtcnn-rnet@cut.pt", "no-model.onnx",
                                "wrong=mtcnn-onet@" + Weights("pnet"), "--target", "onnx"});
  EXPECT_EQ(ended.code, 4) << ended.out << ended.err;
  const json manifest = Manifest();
  EXPECT_THAT(Statuses(manifest),
              UnorderedElementsAre(std::pair("pnet onnx", "passed"), std::pair("cut onnx", "failed"),
                                   std::pair("no-model onnx", "failed"), std::pair("wrong onnx", "failed")));
  EXPECT_FALSE(fs::exists(box_.work() / "exports/cut"));
  for (const json& model : manifest["models"]) {
    if (model["model"] == "wrong") {
      EXPECT_THAT(model["artifacts"][0]["reason"].get<std::string>(),
                  HasSubstr("conv"));  // names the keys that do not fit
    }
  }
}

TEST_F(ExportTest, FailedGateIsKeptAsideAndLaterReplaced) {
  const Ended strict = box_.Run({"export", PNet(), "--target", "ncnn", "--tolerance", "1e-12"});
  EXPECT_EQ(strict.code, 3) << strict.out << strict.err;
  json artifact = Manifest()["models"][0]["artifacts"][0];
  EXPECT_EQ(artifact["status"], "parity_failed");
  EXPECT_TRUE(fs::exists(box_.work() / "exports/pnet/ncnn-fp32.rejected/pnet.param"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports/pnet/ncnn-fp32"));
  EXPECT_THAT(artifact["reproduce"].get<std::string>(), HasSubstr("--tolerance 1e-12"));
  const Ended usual = box_.Run({"export", PNet(), "--target", "ncnn"});
  EXPECT_EQ(usual.code, 0) << usual.out << usual.err;
  EXPECT_EQ(Manifest()["models"][0]["artifacts"][0]["status"], "passed");
  EXPECT_FALSE(fs::exists(box_.work() / "exports/pnet/ncnn-fp32.rejected"));
}

TEST_F(ExportTest, CellsNotRequestedStay) {
  ASSERT_EQ(box_.Run({"export", PNet(), "--target", "onnx,ncnn"}).code, 0);
  const std::string first = Manifest()["request_id"];
  ASSERT_EQ(box_.Run({"export", PNet(), "--target", "onnx"}).code, 0);
  const json manifest = Manifest();
  EXPECT_NE(manifest["request_id"], first);
  for (const json& artifact : manifest["models"][0]["artifacts"]) {
    EXPECT_EQ(artifact["status"], "passed");
    EXPECT_EQ(artifact.value("from", ""), artifact["target"] == "ncnn" ? first : "");
  }
}

TEST_F(ExportTest, MissingJudgeIsUnverified) {
  const Ended ended = box_.Run({"export", PNet(), "--target", "onnx", "--python", "/usr/bin/false"});
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_EQ(Manifest()["models"][0]["artifacts"][0]["status"], "unverified");
}

// Two weights of an ONNX model in files of their own, one in a folder below.
TEST_F(ExportTest, ExternalDataGoesWithItsModel) {
  box_.File("make.py", R"(
import numpy as np, onnx, os, sys
from onnx import TensorProto, helper
def external(name, location, values):
  os.makedirs(os.path.dirname('net/' + location) or '.', exist_ok=True)
  values.tofile('net/' + location)
  tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape, data_location=TensorProto.EXTERNAL)
  tensor.external_data.add(key='location', value=sys.argv[1] + location)
  return tensor
rng = np.random.default_rng(0)
weights = [external('w', 'parts/w.bin', rng.normal(size=(4, 5)).astype(np.float32)), external('b', 'b.bin', rng.normal(size=(5,)).astype(np.float32))]
x = helper.make_tensor_value_info('x', TensorProto.FLOAT, [2, 4])
y = helper.make_tensor_value_info('y', TensorProto.FLOAT, [2, 5])
graph = helper.make_graph([helper.make_node('Gemm', ['x', 'w', 'b'], ['y'])], 'g', [x], [y], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
open('net/model.onnx', 'wb').write(model.SerializeToString())
)");
  const char* python = std::getenv("SLIPWAY_PYTHON");
  ASSERT_NE(python, nullptr) << "SLIPWAY_PYTHON is not set: run the tests by tests/run.sh";
  ASSERT_EQ(box_.StartProgram(python, {"make.py", ""})->Wait().code, 0);
  const Ended ended = box_.Run({"export", "net/model.onnx", "--target", "onnx,ncnn"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  std::vector<std::string> paths;
  const json manifest = Manifest();
  for (const json& file : manifest["models"][0]["source"]["files"]) paths.push_back(file["path"]);
  EXPECT_THAT(paths, ElementsAre("net/model.onnx", "net/b.bin", "net/parts/w.bin"));

  // Data outside the model's folder is neither read nor sent.
  ASSERT_EQ(box_.StartProgram(python, {"make.py", "../net/"})->Wait().code, 0);
  const Ended outside = box_.Run({"export", "net/model.onnx", "--target", "onnx", "--out", "outside"});
  EXPECT_EQ(outside.code, 1) << outside.out << outside.err;
  EXPECT_EQ(Manifest("outside")["models"][0]["source"]["files"].size(), 1u);
  // Nor by way of a link.
  ASSERT_EQ(box_.StartProgram(python, {"make.py", ""})->Wait().code, 0);
  std::filesystem::rename(box_.work() / "net/b.bin", box_.work() / "elsewhere.bin");
  std::filesystem::create_symlink("../elsewhere.bin", box_.work() / "net/b.bin");
  const Ended linked = box_.Run({"export", "net/model.onnx", "--target", "onnx", "--out", "linked"});
  EXPECT_EQ(linked.code, 2) << linked.out << linked.err;
  EXPECT_THAT(linked.err, testing::HasSubstr("'b.bin' beside net/model.onnx is a link to"));
}

// --- in the middle of a run. Every model once in every format, on one slot: long enough to be hit.
class InterruptedTest : public ExportTest {
 protected:
  std::unique_ptr<Running> StartLongRun() {
    std::vector<std::string> arguments = {"export", "--target", "onnx,ncnn", "--jobs",
                                          "1",      "--json",   "--samples", "64"};
    for (int i = 0; i < 24; ++i) arguments.push_back("m" + std::to_string(i) + "=mtcnn-onet@" + Weights("onet"));
    auto client = box_.Start(arguments);
    EXPECT_TRUE(Eventually([&] { return client->OutputSoFar().find("\"state\":\"passed\"") != std::string::npos; }));
    return client;
  }
  static int Count(const json& manifest, const std::string& status) {
    int count = 0;
    for (const auto& [cell, each] : Statuses(manifest)) count += each == status ? 1 : 0;
    return count;
  }
};

TEST_F(InterruptedTest, CtrlCCancelsAndKeepsWhatHasPassed) {
  const auto client = StartLongRun();
  client->Signal(SIGINT);
  const Ended ended = client->Wait();
  EXPECT_EQ(ended.code, 130) << ended.err;
  const json manifest = Manifest();
  EXPECT_EQ(Statuses(manifest).size(), 48u);
  EXPECT_GT(Count(manifest, "cancelled"), 0);
  EXPECT_EQ(Count(manifest, "cancelled") + Count(manifest, "passed"), 48);
}

TEST_F(InterruptedTest, Timeout) {
  std::vector<std::string> arguments = {"export", "--target", "onnx", "--jobs", "1", "--timeout", "0.3"};
  for (int i = 0; i < 60; ++i) arguments.push_back("m" + std::to_string(i) + "=mtcnn-onet@" + Weights("onet"));
  const Ended ended = box_.Run(arguments);
  EXPECT_EQ(ended.code, 130) << ended.out;
  EXPECT_THAT(ReadAll(box_.work() / "exports/manifest.json"), HasSubstr("not finished within --timeout 300ms"));
  Manifest();
}

TEST_F(InterruptedTest, WorkerKilled) {
  const auto client = StartLongRun();
  for (const pid_t pid : box_.Processes("slipway-worker")) kill(pid, SIGKILL);
  const Ended ended = client->Wait();
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(Count(Manifest(), "passed"), 48);
}

TEST_F(InterruptedTest, CoordinatorKilled) {
  const auto client = StartLongRun();
  for (const pid_t pid : box_.Processes("slipway-coordinator")) kill(pid, SIGKILL);
  const Ended ended = client->Wait();
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(Count(Manifest(), "passed"), 48);
}

TEST_F(InterruptedTest, RedisKilled) {
  const auto client = StartLongRun();
  for (const pid_t pid : box_.Processes("redis-server")) kill(pid, SIGKILL);
  const Ended ended = client->Wait();
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(Count(Manifest(), "passed"), 48);
}

// A part that was stopped and is not continued: it would hold the run up for ever.
TEST_F(InterruptedTest, PartsStopped) {
  for (const char* part : {"slipway-worker", "slipway-coordinator", "redis-server"}) {
    SCOPED_TRACE(part);
    const auto client = StartLongRun();
    for (const pid_t pid : box_.Processes(part)) kill(pid, SIGSTOP);
    const Ended ended = client->Wait();
    EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
    EXPECT_EQ(Count(Manifest(), "passed"), 48);
  }
}

TEST_F(InterruptedTest, SupervisorKilled) {
  const auto client = StartLongRun();
  for (const pid_t pid : box_.Processes("slipway")) {
    if (pid != client->pid()) kill(pid, SIGKILL);  // its command line is the client's
  }
  const Ended ended = client->Wait();
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.out + ended.err, HasSubstr("the embedded farm's supervisor died"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  EXPECT_THAT(box_.Leftovers(), testing::IsEmpty());
}

TEST_F(InterruptedTest, ClientKilled) {
  ASSERT_EQ(box_.Run({"export", "m0=" + PNet(), "--target", "onnx"}).code, 0);
  const std::string before = ReadAll(box_.work() / "exports/manifest.json");
  const auto client = StartLongRun();
  client->Signal(SIGKILL);
  client->Wait();
  EXPECT_TRUE(Eventually([&] { return box_.Leftovers().empty(); })) << testing::PrintToString(box_.Leftovers());
  EXPECT_EQ(ReadAll(box_.work() / "exports/manifest.json"), before);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(box_.work() / "exports")) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("m0", "manifest.json"));
  EXPECT_EQ(box_.Run({"verify", "exports"}).code, 0);
  ASSERT_EQ(box_.Run({"export", "m0=" + PNet(), "--target", "onnx"}).code, 0);  // its remains do not stand in the way
  Manifest();
}

TEST_F(ExportTest, FullDisk) {
  const fs::path out = box_.work() / "exports";
  const SmallDisk disk(out, 400);
  ASSERT_EQ(box_.Run({"export", PNet(), "--target", "onnx"}).code, 0);
  const std::string before = ReadAll(out / "manifest.json");
  // ONet has 1.5 MB of weights.
  const Ended ended = box_.Run({"export", PNet(), "mtcnn-onet@" + Weights("onet"), "--target", "onnx"});
  EXPECT_EQ(ended.code, 5) << ended.out << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("No space left on device"));
  EXPECT_EQ(ReadAll(out / "manifest.json"), before);
  Manifest();
}

// The farm's own folders: the store that the weights are uploaded to, then the scratch folder of the conversion.
TEST_F(ExportTest, FullTemporaryDisk) {
  for (const int kilobytes : {600, 2300}) {
    const fs::path temporary = box_.work() / ("disk" + std::to_string(kilobytes));
    const SmallDisk disk(temporary, kilobytes);
    const Ended ended =
        box_.Run({"export", "mtcnn-onet@" + Weights("onet"), "--no-cache"}, {{"TMPDIR", temporary.string()}});
    EXPECT_EQ(ended.code, 5) << ended.out << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("No space left on device"));
    EXPECT_FALSE(fs::exists(box_.work() / "exports"));
    EXPECT_TRUE(fs::is_empty(temporary));
  }
}

// One model passes, the other finds no room in the farm's scratch folder, for its preparation or only for its cell: trying
// again may help, so nothing is published.
TEST_F(ExportTest, OneCellTriedInVainIsTheMachines) {
  for (const auto& [kilobytes, fails] :
       {std::pair(3800, "onet .prepare. +failed +"), std::pair(7100, "onet onnx fp32 +failed +")}) {
    const fs::path temporary = box_.work() / ("disk" + std::to_string(kilobytes));
    const SmallDisk disk(temporary, kilobytes);
    const Ended ended =
        box_.Run({"export", PNet(), "mtcnn-onet@" + Weights("onet"), "--target", "onnx", "--jobs", "1", "--no-cache"},
                 {{"TMPDIR", temporary.string()}});
    EXPECT_EQ(ended.code, 5) << ended.out << ended.err;
    EXPECT_THAT(ended.out, testing::ContainsRegex("pnet +onnx.* passed")) << ended.out;
    EXPECT_THAT(ended.out, testing::ContainsRegex(fails + std::string("[^\n]*No space left on device")));
    EXPECT_THAT(ended.err, HasSubstr("No space left on device"));
    EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  }
}

// Longer than what the queue keeps of a reason: of a cell, and of a preparation that failed for all its cells.
TEST_F(ExportTest, ReasonsAreWhole) {
  box_.File("make.py", R"(
import onnx, sys
from onnx import TensorProto, helper
for op in ['NonZero', 'NoSuchOp']:
  x = helper.make_tensor_value_info('x', TensorProto.FLOAT, [4, 4])
  y = helper.make_tensor_value_info('y', TensorProto.INT64, [2, None])
  graph = helper.make_graph([helper.make_node(op, ['x'], ['y'], name='n' * 600)], 'g', [x], [y])
  model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
  open(op + '.onnx', 'wb').write(model.SerializeToString())
)");
  const char* python = std::getenv("SLIPWAY_PYTHON");
  ASSERT_NE(python, nullptr) << "SLIPWAY_PYTHON is not set: run the tests by tests/run.sh";
  ASSERT_EQ(box_.StartProgram(python, {"make.py"})->Wait().code, 0);
  const Ended ended = box_.Run({"export", "NonZero.onnx", "NoSuchOp.onnx", "--target", "tflite"});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  const json manifest = Manifest();
  ASSERT_EQ(manifest["models"].size(), 2u);
  for (const json& model : manifest["models"])
    EXPECT_THAT(model["artifacts"][0]["reason"].get<std::string>(), HasSubstr(std::string(600, 'n')));
}

TEST_F(ExportTest, AFailedPreparationGivesItsReasonOnceAndInTheSummary) {
  box_.File("m.onnx", "no model");
  const Ended ended = box_.Run({"export", "m.onnx"});
  EXPECT_EQ(ended.code, 1);
  size_t told = 0;
  for (size_t at = 0; (at = ended.out.find("not a readable ONNX model", at)) != std::string::npos; ++at) ++told;
  EXPECT_EQ(told, 2u) << ended.out;
}

}  // namespace
}  // namespace slipway
