// The embedded farm's life: whatever becomes of the client, nothing of it stays behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/client/command.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

// A client that hashes a FIFO waits for a writer that never comes, while its farm is already up.
class EmbeddedTest : public testing::Test {
 protected:
  std::unique_ptr<Running> StartAndHang() {
    EXPECT_EQ(mkfifo((box_.work() / "w.pt").c_str(), 0600), 0);
    auto client = box_.Start({"export", "mtcnn-pnet@w.pt", "--target", "onnx"});
    EXPECT_TRUE(Eventually([&] { return box_.FarmIsUp(); }));
    return client;
  }
  Sandbox box_;
};

TEST_F(EmbeddedTest, ClientKilled) {
  const auto client = StartAndHang();
  EXPECT_FALSE(box_.Processes("redis-server").empty());
  client->Signal(SIGKILL);
  EXPECT_EQ(client->Wait().signal, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return box_.Leftovers().empty(); })) << testing::PrintToString(box_.Leftovers());
}

TEST_F(EmbeddedTest, SecondInterruptLeavesAtOnce) {
  const auto client = StartAndHang();
  client->Signal(SIGINT);
  EXPECT_TRUE(Eventually([&] { return fs::exists(box_.work() / "exports"); }));
  // Signals of one number do not queue: the second only counts once the first was taken.
  EXPECT_TRUE(Eventually([&] {
    client->Signal(SIGTERM);
    return box_.Processes("slipway-worker").empty();
  }));
  EXPECT_EQ(client->Wait().code, 130);
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
  EXPECT_THAT(box_.Processes(""), IsEmpty());
}

TEST_F(EmbeddedTest, FirstInterruptEndsInOrder) {
  const auto client = StartAndHang();
  client->Signal(SIGINT);
  EXPECT_TRUE(Eventually([&] { return client->ErrorsSoFar().find("cancelling") != std::string::npos; }));
  { const UniqueFd writer(open((box_.work() / "w.pt").c_str(), O_WRONLY | O_CLOEXEC)); }  // the client's open() returns
  EXPECT_EQ(client->Wait().code, 130);
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
  // Nothing was hashed or submitted: the manifest knows neither a digest nor a request.
  const std::string manifest = ReadAll(box_.work() / "exports/manifest.json");
  EXPECT_THAT(SchemaErrors(manifest), IsEmpty());
  EXPECT_THAT(manifest, HasSubstr("\"request_id\": null"));
  EXPECT_THAT(manifest, HasSubstr("\"sha256\": null"));
  EXPECT_THAT(manifest, HasSubstr("\"status\": \"cancelled\""));
}

TEST_F(EmbeddedTest, SupervisorKilled) {
  const auto client = StartAndHang();
  for (const pid_t pid : box_.Processes("slipway")) {
    // Its command line is the client's; its parent is the client.
    if (pid != client->pid()) kill(pid, SIGKILL);
  }
  // Redis, coordinator and worker die with it.
  EXPECT_TRUE(Eventually(
      [&] { return box_.Processes("slipway-worker").empty() && box_.Processes("slipway-coordinator").empty(); }));
  client->Signal(SIGKILL);
}

TEST_F(EmbeddedTest, NothingListensOnTheNetwork) {
  const auto client = StartAndHang();
  for (const char* binary : {"redis-server", "slipway-coordinator", "slipway-worker"}) {
    for (const pid_t pid : box_.Processes(binary)) {
      for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        std::error_code error;
        const std::string target = fs::read_symlink(entry.path(), error).string();
        if (!target.starts_with("socket:[")) continue;
        const std::string inode = target.substr(8, target.size() - 9);
        for (const char* table : {"tcp", "tcp6"}) {
          EXPECT_THAT(ReadAll("/proc/net/" + std::string(table)), testing::Not(HasSubstr(" " + inode + " "))) << binary;
        }
      }
    }
  }
}

TEST_F(EmbeddedTest, NoSecretInAnyArgumentList) {
  const auto client = StartAndHang();
  std::string password;
  for (const auto& entry : fs::directory_iterator(box_.work().parent_path() / "run"))
    password = ReadAll(entry.path() / "password");
  ASSERT_GE(password.size(), 32u);
  for (const pid_t pid : box_.Processes("")) {
    const std::string proc = "/proc/" + std::to_string(pid);
    EXPECT_THAT(ReadAll(proc + "/cmdline"), testing::Not(HasSubstr(password)));
    EXPECT_THAT(ReadAll(proc + "/environ"), testing::Not(HasSubstr(password)));
  }
}

// A client beside other binaries than ours.
class BrokenWorkerTest : public EmbeddedTest {
 protected:
  Ended RunWithWorker(const std::string& script) {
    const fs::path bin = box_.File("bin/slipway-worker", "#!/bin/sh\n" + script + "\n").parent_path();
    fs::permissions(bin / "slipway-worker", fs::perms::owner_all);
    fs::copy_file(Slipway(), bin / "slipway");  // it looks beside itself, through links
    fs::create_symlink(fs::path(Slipway()).parent_path() / "slipway-coordinator", bin / "slipway-coordinator");
    box_.File("m.onnx", "no model");
    return box_.StartProgram(bin / "slipway", {"export", "m.onnx", "--target", "onnx"})->Wait();
  }
};

TEST_F(BrokenWorkerTest, ThatCannotStart) {
  const Ended ended = RunWithWorker("echo no room for me >&2; exit 3");
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.err, HasSubstr("slipway-worker ended with code 3: no room for me"));
  EXPECT_FALSE(fs::exists(box_.work() / "exports"));
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
}

TEST_F(BrokenWorkerTest, ThatDiesAgainAndAgain) {
  const Ended ended =
      RunWithWorker("echo ready >&3; echo start >> " + (box_.work() / "starts").string() + "; kill -9 $$");
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.err, HasSubstr("slipway-worker was killed by signal 9, 6 times"));
  EXPECT_EQ(ReadAll(box_.work() / "starts"), "start\nstart\nstart\nstart\nstart\nstart\n");
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
}

TEST_F(BrokenWorkerTest, ThatStopsBeforeItWorks) {
  const Ended ended = RunWithWorker("kill -STOP $$; sleep 1000");
  EXPECT_EQ(ended.code, 5);
  EXPECT_THAT(ended.err, HasSubstr("slipway-worker was stopped and did not go on"));
  EXPECT_THAT(box_.Leftovers(), IsEmpty());
}

TEST_F(EmbeddedTest, FolderIsPrivate) {
  const auto client = StartAndHang();
  for (const auto& entry : fs::directory_iterator(box_.work().parent_path() / "run")) {
    EXPECT_EQ(fs::status(entry.path()).permissions(), fs::perms::owner_all);
  }
}

}  // namespace
}  // namespace slipway
