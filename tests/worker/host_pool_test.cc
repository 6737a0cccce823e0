// Judge hosts with real runtimes: lent, killed, replaced, missing.
#include "worker/daemon/host_pool.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/time/clock.h"
#include "tests/worker/support.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// What a host says to hello over a loan's connection.
json Hello(const HostPool::Loan& loan) {
  Channel channel{UniqueFd(dup(loan.connection))};
  EXPECT_TRUE(channel.Send(R"({"op":"hello"})").ok());
  auto frame = channel.Receive(absl::Now() + absl::Seconds(30));
  EXPECT_TRUE(frame.ok()) << frame.status();
  return frame.ok() ? json::parse(frame->body) : json();
}

class HostPoolTest : public testing::Test {
 protected:
  HostPoolTest() : farmhand_(&ScriptedChild, TestPython()) {}
  HostPool& hosts() { return farmhand_.hosts(); }
  pid_t PidOf(const HostPool::Loan& loan) { return farmhand_.PidOf(loan.id); }

  TestFarmhand farmhand_;
};

TEST_F(HostPoolTest, EveryRuntimeRunsInTheJail) {
  for (const char* runtime : {"onnxruntime", "litert", "ncnn"}) {
    auto loan = hosts().Lend(runtime, "default");
    ASSERT_TRUE(loan.ok()) << loan.status();
    EXPECT_EQ(Hello(*loan)["name"], runtime);
    const auto status = *ReadFile("/proc/" + std::to_string(PidOf(*loan)) + "/status");
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
    hosts().Return(loan->id, true);
  }
}

TEST_F(HostPoolTest, AReturnedHostIsWarmForTheNextOfItsTenantOnly) {
  auto first = hosts().Lend("ncnn", "a");
  auto second = hosts().Lend("ncnn", "a");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->id, second->id) << "one borrower at a time";
  hosts().Return(first->id, true);
  auto again = hosts().Lend("ncnn", "a");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->id, first->id);
  hosts().Return(again->id, true);
  auto other = hosts().Lend("ncnn", "b");
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->id, first->id);
  EXPECT_NE(other->id, second->id);
}

TEST_F(HostPoolTest, AKilledIdleHostIsReplaced) {
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok()) << loan.status();
  const pid_t pid = PidOf(*loan);
  hosts().Return(loan->id, true);
  kill(pid, SIGKILL);
  ASSERT_TRUE(EndsWithin(pid));
  auto next = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_NE(next->id, loan->id);
  EXPECT_EQ(Hello(*next)["name"], "ncnn");
}

TEST_F(HostPoolTest, AHostThatDiedWhileLentIsReturnedWithTheReason) {
  for (const bool healthy : {true, false}) {
    auto loan = hosts().Lend("ncnn", "default");
    ASSERT_TRUE(loan.ok()) << loan.status();
    kill(PidOf(*loan), SIGSEGV);
    pollfd state{loan->connection, POLLIN, 0};
    ASSERT_EQ(poll(&state, 1, 30'000), 1);
    EXPECT_EQ(hosts().Return(loan->id, healthy), "the ncnn judge was killed by SIGSEGV");
  }
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok()) << loan.status();
  EXPECT_EQ(hosts().Return(loan->id, /*healthy=*/false), "") << "it was only said to be broken";
}

TEST_F(HostPoolTest, AHostWhoseBorrowerDiedIsKilled) {
  auto child = farmhand_.Child();
  // So that the one that the child borrows is known.
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok()) << loan.status();
  const pid_t pid = PidOf(*loan);
  hosts().Return(loan->id, true);
  const auto run = [&](const std::string& script) {
    return child->Run(
        Task(script), {}, "default", [](const std::string&) {}, absl::Now() + absl::Seconds(30));
  };
  EXPECT_EQ(run("host").end, Execution::End::kResult);
  EXPECT_FALSE(EndsWithin(pid, absl::ZeroDuration())) << "given back in order";
  EXPECT_EQ(run("host-crash").exit.signal, SIGSEGV);
  EXPECT_TRUE(EndsWithin(pid));
}

// Its jail would refuse it every file of a scratch folder that was made anew.
TEST_F(HostPoolTest, AHostWhoseFolderSomebodyRemovedIsLentNoMore) {
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok()) << loan.status();
  const pid_t pid = PidOf(*loan);
  hosts().Return(loan->id, true);
  std::filesystem::remove_all(farmhand_.scratch().path());
  auto next = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_NE(next->id, loan->id);
  EXPECT_TRUE(EndsWithin(pid));
}

TEST_F(HostPoolTest, APrewarmedHostIsTheOneLent) {
  hosts().Prewarm({"ncnn"});
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok()) << loan.status();
  EXPECT_EQ(loan->id, 1u) << "the first process that was started";
}

TEST_F(HostPoolTest, ALateAnswerIsNotTakenForTheNextBorrowers) {
  auto loan = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(loan.ok());
  Channel channel{UniqueFd(dup(loan->connection))};
  ASSERT_TRUE(channel.Send(R"({"op":"load","session":"s","files":["/nowhere.param","/nowhere.bin"]})").ok());
  hosts().Return(loan->id, true);  // its answer is still to come
  auto next = hosts().Lend("ncnn", "default");
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(Hello(*next)["name"], "ncnn");
}

TEST(MissingHosts, AnInterpreterThatIsNotThere) {
  TestFarmhand farmhand;  // /nonexistent/python
  const auto loan = farmhand.hosts().Lend("onnxruntime", "default");
  EXPECT_TRUE(absl::IsNotFound(loan.status())) << loan.status();
  EXPECT_THAT(std::string(loan.status().message()), HasSubstr("/nonexistent/python"));
}

TEST(MissingHosts, ARuntimeThatIsNotInstalled) {
  // The system's interpreter, which has none of the wheels.
  TestFarmhand farmhand(&ScriptedChild, "/usr/bin/python3");
  const auto loan = farmhand.hosts().Lend("litert", "default");
  EXPECT_TRUE(absl::IsNotFound(loan.status())) << loan.status();
  EXPECT_TRUE(absl::IsNotFound(farmhand.hosts().Lend("../../tmp/evil", "default").status()));
}

}  // namespace
}  // namespace slipway
