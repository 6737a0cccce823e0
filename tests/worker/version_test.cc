// What a worker offers and what it leaves to others, with the real worker.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/random.h"
#include "common/task/task_class.h"
#include "tests/worker/support.h"
#include "tests/worker/worker_process.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class VersionTest : public WorkerTest {
 protected:
  // A request whose spec is `text`.
  std::string SubmitText(const std::string& text) {
    QueuedRequest request;
    request.id = "0-" + RandomHex(8);
    request.spec = WriteBlob(*store_, "default", text)->ToString();
    request.tasks = {{.index = 0}};
    EXPECT_EQ(*queue_->Submit(request), request.id);
    return request.id;
  }
  static std::string NewerForm() {
    RequestSpec spec;
    spec.models = {{"nothing", "noop", "", {}}};
    spec.tasks.push_back({SpecTask::Kind::kCell, 0, "onnx", "fp32", -1});
    nlohmann::json document = nlohmann::json::parse(spec.ToJson());
    document["schema"] = "slipway.request/2";
    document["of_tomorrow"] = true;
    return document.dump();
  }
  void SignOn(const std::string& worker) {
    EXPECT_TRUE(queue_->Heartbeat({.id = worker, .version = "0.2.0+ff", .classes = {"any"}}, {}).ok());
  }
  std::vector<std::string> ArgumentsWithout(const char* flag, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = Arguments(std::move(more));
    const auto found = std::ranges::find(arguments, flag);
    arguments.erase(found, found + 2);
    return arguments;
  }
  std::vector<std::string> Offered() {
    const std::vector<WorkerView> workers = *queue_->ListWorkers();
    return workers.empty() ? std::vector<std::string>() : workers[0].classes;
  }
};

// Another worker gets it before all else, as if nobody had had it; and the old one goes on with what it knows.
TEST_F(VersionTest, ARequestOfANewerFormIsLeftToOthersUncounted) {
  WorkerProcess worker(Arguments());
  SignOn("newer");
  const std::string newer = SubmitText(NewerForm());
  ASSERT_TRUE(Holds([&] { return !Tasks(newer)[0].attempt_reasons.empty(); }));
  EXPECT_EQ(Tasks(newer)[0].state, TaskState::kDelayed);
  EXPECT_EQ(Tasks(newer)[0].attempts, 0);
  EXPECT_THAT(Tasks(newer)[0].reason, HasSubstr("\"slipway.request/2\", this build knows \"slipway.request/1\""));
  const std::string known = SubmitNoops(3);
  ASSERT_TRUE(AllEnd(known));
  std::optional<LeasedTask> task;
  ASSERT_TRUE(Holds([&] {
    SignOn("newer");
    EXPECT_TRUE(queue_->Maintain().ok());
    task = *queue_->Lease({"newer", RandomHex(16), {"any"}});
    return task.has_value();
  }));
  EXPECT_EQ(task->request, newer);
  EXPECT_EQ(task->attempt, 1);
  EXPECT_EQ(*queue_->Commit({.request = newer, .index = 0, .token = task->token}), CommitOutcome::kCommitted);
}

// The only worker there is does not take it again and again.
TEST_F(VersionTest, ARequestThatNobodyKnowsWaits) {
  WorkerProcess worker(Arguments());
  const std::string newer = SubmitText(NewerForm());
  ASSERT_TRUE(Holds([&] { return !Tasks(newer)[0].attempt_reasons.empty(); }));
  const uint64_t version = Tasks(newer)[0].version;
  ASSERT_TRUE(AllEnd(SubmitNoops(20)));
  EXPECT_EQ(Tasks(newer)[0].version, version);
  EXPECT_EQ(Tasks(newer)[0].attempts, 0);
  EXPECT_EQ(Tasks(newer)[0].state, TaskState::kDelayed);
}

TEST_F(VersionTest, AWorkerOffersWhatItsInterpreterHas) {
  for (const char* package : {"onnxruntime-1.31.1.dist-info", "numpy-2.1.dist-info", "ncnn-1.0.dist-info"})
    fs::create_directories(folder_.path() / "venv/lib/python3.11/site-packages" / package);
  fs::create_directories(folder_.path() / "venv/bin");
  const std::string python = (folder_.path() / "venv/bin/python").string();
  {
    WorkerProcess worker(ArgumentsWithout("--python", {"--python", python, "--task-memory", "8G"}));
    EXPECT_THAT(Offered(), ElementsAre("any", "onnxruntime", "ncnn", "any+8g", "onnxruntime+8g", "ncnn+8g"));
    EXPECT_EQ((*queue_->ListWorkers())[0].task_memory_bytes, 8 * kGiB);
    worker.Signal(SIGTERM);
    EXPECT_EQ(worker.Exit(), 0);
    EXPECT_THAT(worker.output(), HasSubstr("classes=any,onnxruntime,ncnn,any+8g"));
  }
  WorkerProcess all(ArgumentsWithout("--python", {"--python", python, "--take-all"}));
  EXPECT_EQ(Offered(), AllClasses());
}

// Without --slots it says how many it takes, and which limit decided.
TEST_F(VersionTest, AWorkerSizesItselfAndSaysWhy) {
  WorkerProcess worker(ArgumentsWithout("--slots"));
  const WorkerView registered = (*queue_->ListWorkers())[0];
  EXPECT_GE(registered.slots, 1);
  EXPECT_LE(registered.slots, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  worker.Signal(SIGTERM);
  EXPECT_EQ(worker.Exit(), 0);
  EXPECT_THAT(worker.output(), HasSubstr("sized"));
  EXPECT_THAT(worker.output(), HasSubstr("slots=" + std::to_string(registered.slots)));
  EXPECT_THAT(worker.output(), HasSubstr("3/4 of"));
}

}  // namespace
}  // namespace slipway
