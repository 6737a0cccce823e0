// The two kinds of task, in this process, with real judges.
#include "worker/pipeline/pipeline.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"
#include "tests/support/onnx_maker.h"
#include "tests/worker/support.h"
#include "worker/pipeline/import_check.h"
#include "worker/pipeline/source.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Hosts that can be made to be missing, dead or silent.
class FlakyHosts final : public HostProvider {
 public:
  explicit FlakyHosts(const fs::path& scratch) : scratch_(scratch) {}
  absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view runtime) override {
    ++asked;
    if (on_acquire) on_acquire();
    if (runtime == missing) return NotFound("{} is not installed", runtime);
    if (runtime == dying && deaths-- > 0) {
      auto ends = *Channel::CreatePair();
      return std::make_shared<Channel>(std::move(ends.first));  // nobody at the other end
    }
    silent_now_ = runtime == silent && silences-- > 0;
    if (silent_now_) {
      auto ends = *Channel::CreatePair();
      held_.push_back(std::move(ends.second));  // somebody at the other end, who never says a word
      return std::make_shared<Channel>(std::move(ends.first));
    }
    if (real_ == nullptr) real_ = SpawningHosts(TestPython(), scratch_);
    return real_->Acquire(runtime);
  }
  fs::path scratch() const override { return scratch_; }
  absl::Duration answer_timeout() const override { return silent_now_ ? absl::Milliseconds(50) : absl::Minutes(2); }

  std::function<void()> on_acquire;
  std::string missing, dying, silent;
  int deaths = 0;
  int silences = 0;
  int asked = 0;

 private:
  fs::path scratch_;
  std::unique_ptr<HostProvider> real_;
  std::vector<Channel> held_;
  bool silent_now_ = false;
};

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest()
      : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "pipeline-")),
        hosts_(folder_.path() / "scratch") {
    NewScratch();
    inputs_.options.samples = 3;
  }

  // A task begins with an empty folder.
  void NewScratch() {
    fs::remove_all(hosts_.scratch());
    fs::create_directories(hosts_.scratch());
  }
  void AddFile(const fs::path& file, const std::string& name = "") {
    const auto mapped = MappedFile::Open(file);
    ASSERT_TRUE(mapped.ok()) << mapped.status();
    const Digest digest = Digest::Of((*mapped)->bytes());
    inputs_.model.files.push_back({file.filename().string(), name, digest});
    inputs_.blobs[digest.ToString()] = *mapped;
  }
  void UseRnet() {
    const char* weights = std::getenv("SLIPWAY_MTCNN");
    ASSERT_NE(weights, nullptr) << "SLIPWAY_MTCNN names the folder of pnet.pt, rnet.pt and onet.pt";
    inputs_.model.name = "rnet";
    inputs_.model.kind = "checkpoint";
    inputs_.model.architecture = "mtcnn-rnet";
    AddFile(fs::path(weights) / "rnet.pt");
  }
  void UseOnnx(const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder_.path() / "net.onnx", bytes).ok());
    inputs_.model = {"net", "onnx", "", {}};
    AddFile(folder_.path() / "net.onnx");
  }
  void UseOnnx(testing::OnnxMaker maker) { UseOnnx(maker.model().SerializeAsString()); }
  TaskContext Context() {
    return {hosts_.scratch(), &hosts_, [this](std::string_view step) { steps_.emplace_back(step); }};
  }
  absl::StatusOr<TaskOutput> Prepare() {
    NewScratch();
    inputs_.task = {};
    auto output = RunPrepare(inputs_, Context());
    if (output.ok()) {
      inputs_.prepare_entry = output->entry;
      if (!output->reference.empty()) {
        fs::rename(hosts_.scratch() / output->reference, folder_.path() / "reference");
        const auto mapped = *MappedFile::Open(folder_.path() / "reference");
        inputs_.reference = Digest::Of(mapped->bytes());
        inputs_.blobs[inputs_.reference->ToString()] = mapped;
      }
    }
    return output;
  }
  absl::StatusOr<TaskOutput> Cell(const std::string& target) {
    NewScratch();
    inputs_.task = {SpecTask::Kind::kCell, 0, target, "fp32", -1};
    return RunCell(inputs_, Context());
  }

  TemporaryFolder folder_;
  FlakyHosts hosts_;
  TaskInputs inputs_;
  std::vector<std::string> steps_;
};

TEST_F(PipelineTest, PreparesAndProvesACheckpoint) {
  UseRnet();
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  ASSERT_EQ(prepared->state, "passed") << prepared->reason;
  const json model = json::parse(prepared->entry);
  EXPECT_EQ(model["model"], "rnet");
  EXPECT_EQ(model["source"]["kind"], "checkpoint");
  EXPECT_EQ(model["source"]["files"][0]["path"], "rnet.pt");
  EXPECT_EQ(model["source"]["architecture"], "mtcnn-rnet");
  EXPECT_THAT(model["reference"].get<std::string>(), HasSubstr("facenet-pytorch"));
  EXPECT_THAT(model["io_schema"]["inputs"][0]["shape"].get<std::vector<int>>(), ElementsAre(::testing::_, 3, 24, 24));

  steps_.clear();
  const auto cell = Cell("onnx");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "passed") << cell->reason;
  EXPECT_THAT(steps_, ElementsAre("importing", "converting", "judging"));
  const json entry = json::parse(cell->entry);
  EXPECT_EQ(entry["target"], "onnx");
  EXPECT_EQ(entry["status"], "passed");
  EXPECT_TRUE(entry["reason"].is_null());
  EXPECT_EQ(entry["path"], "rnet.onnx");
  EXPECT_EQ(entry["parity"]["verdict"], "passed");
  EXPECT_EQ(entry["parity"]["samples"], 3);
  EXPECT_EQ(entry["parity"]["runs"][0]["verified_by"]["name"], "onnxruntime");
  EXPECT_EQ(entry["io_schema"]["outputs"].size(), model["io_schema"]["outputs"].size());
  EXPECT_GT(entry["timings_ms"]["convert"], 0);
  EXPECT_EQ(entry["build"].get<std::string>().size(), 16u);
  for (const auto& file : cell->files) EXPECT_TRUE(fs::exists(hosts_.scratch() / "artifact" / file));
  EXPECT_TRUE(json::accept(*ReadFile(hosts_.scratch() / cell->parity)));
}

TEST_F(PipelineTest, ProvesAnOnnxFile) {
  // The checkpoint's artifact becomes the source.
  UseRnet();
  inputs_.options.verify = false;
  const auto made = Cell("onnx");
  ASSERT_TRUE(made.ok()) << made.status();
  fs::copy(hosts_.scratch() / "artifact" / "rnet.onnx", folder_.path() / "again.onnx");
  inputs_ = {};
  inputs_.options.samples = 3;
  inputs_.model.name = "again";
  inputs_.model.kind = "onnx";
  AddFile(folder_.path() / "again.onnx");
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const json model = json::parse(prepared->entry);
  EXPECT_EQ(model["source"]["opset"], 17);
  EXPECT_EQ(model["reference"], "onnxruntime on the source file");
  const auto cell = Cell("ncnn");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "passed") << cell->reason;
  const json entry = json::parse(cell->entry);
  bool before_softmax = false;
  for (const auto& output : entry["parity"]["runs"][0]["outputs"])
    before_softmax |= output["role"] == "before_activation";
  EXPECT_TRUE(before_softmax) << "what stands before the final softmax was compared";
}

TEST_F(PipelineTest, ABatchThatTheSourceRefusesIsAWarning) {
  // Its shapes let any batch in, a reshape inside lets only 1 through.
  Graph graph;
  Value* x = graph.AddInput("x", DataType::kFloat32, {Dim::Symbol("N"), 4});
  Value* sizes = graph.AddConstant("sizes", Tensor::Int64s({1, 2, 2}));
  Value* folded = graph.AddNode(OpKind::kReshape, {x, sizes}, {"folded"})->output();
  graph.AddOutput(graph.AddNode(OpKind::kSin, {folded}, {"y"})->output());
  ASSERT_TRUE(MakeInferShapes()->Run(graph).ok());
  UseOnnx(*OnnxBytes(graph));
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  ASSERT_EQ(prepared->state, "passed") << prepared->reason;
  const json warnings = json::parse(prepared->entry)["warnings"];
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0].get<std::string>(), HasSubstr("x [2, 4]"));
  const auto cell = Cell("onnx");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "passed") << cell->reason;
}

// x [1, 4] → Log "logs" → (Magic of an unknown domain, if asked) → y.
testing::OnnxMaker LogModel(bool with_unknown) {
  testing::OnnxMaker maker;
  maker.Input("x", {1, 4});
  maker.Node("Log", {"x"}, {"logs"});
  onnx::NodeProto& last = maker.Node(with_unknown ? "Magic" : "Tanh", {"logs"}, {"y"});
  if (with_unknown) {
    last.set_domain("com.acme");
    auto& opset = *maker.model().add_opset_import();
    opset.set_domain("com.acme");
    opset.set_version(1);
  }
  maker.Output("y");
  return maker;
}

TEST_F(PipelineTest, AnUnknownOpThatIsCutOffDoesNotMatter) {
  UseOnnx(LogModel(true));
  inputs_.options.interface.cut_outputs = {"logs"};
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  // Half of the samples' logarithms are no numbers, in the file as in the graph: that is no wrong reading.
  ASSERT_EQ(prepared->state, "passed") << prepared->reason;
  EXPECT_TRUE(inputs_.reference.has_value()) << prepared->entry;
  inputs_.options.interface.cut_outputs.clear();
  EXPECT_THAT(Prepare()->reason, HasSubstr("com.acme::Magic"));
}

TEST_F(PipelineTest, AWrongReadingIsRefusedThoughTheReferenceIsEdited) {
  UseOnnx(LogModel(false));
  inputs_.options.interface.cut_outputs = {"logs"};
  // What onnxruntime is given as the graph that was read computes something else.
  testing::OnnxMaker wrong;
  wrong.Input("x", {1, 4});
  wrong.Node("Sqrt", {"x"}, {"logs"});
  wrong.Output("logs");
  hosts_.on_acquire = [&] {
    const fs::path copy = hosts_.scratch() / "as_read.onnx";
    if (fs::exists(copy)) {
      EXPECT_TRUE(WriteFileAtomically(copy, wrong.model().SerializeAsString()).ok());
    }
  };
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->state, "failed");
  EXPECT_THAT(prepared->reason, HasSubstr("does not compute what the file does, before any edit: output 'logs'"));
  // An unedited source is the reference itself.
  inputs_.options.interface = {};
  EXPECT_EQ(Prepare()->state, "passed");
}

TEST_F(PipelineTest, AWrongReadingIsNamedByItsOutput) {
  NewScratch();
  testing::OnnxMaker maker;
  maker.Input("x", {2, 4});
  maker.Weights("w", {4, 2}, {1, -2, 0.5f, 3, -1, 0.25f, 2, 1});
  maker.Node("Gemm", {"x", "w"}, {"sums"});
  maker.Node("Tanh", {"sums"}, {"y"});
  maker.Output("sums");
  maker.Output("y");
  UseOnnx(maker);
  inputs_.options.interface.input_names = {"features"};
  const Source source = *SourceOf(inputs_);
  for (const float spoilt : {0.0f, 1e-3f}) {
    NewScratch();
    auto imported = Import(source);
    ASSERT_TRUE(imported.ok()) << imported.status();
    Value* weights = imported->unedited->Find("w");
    std::vector<float> values = weights->constant->ToFloats();
    values[3] += spoilt;
    weights->constant = Tensor::From<float>({4, 2}, values);
    const absl::Status check = CheckImport(Context(), source, *imported, 0);
    EXPECT_EQ(check.code(), spoilt == 0 ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss) << check;
    if (spoilt != 0) {
      EXPECT_THAT(Message(check), HasSubstr("output 'sums': scaled error"));
    }
  }
}

TEST_F(PipelineTest, WithoutVerificationNoHostIsAsked) {
  UseRnet();
  inputs_.options.verify = false;
  ASSERT_EQ(Prepare()->state, "passed");
  const auto cell = Cell("onnx");
  EXPECT_EQ(cell->state, "unverified");
  EXPECT_THAT(cell->reason, HasSubstr("--no-verify"));
  EXPECT_EQ(json::parse(cell->entry)["parity"]["verdict"], "not_run");
  EXPECT_EQ(cell->files.size(), 1u);
  EXPECT_EQ(hosts_.asked, 0);
}

TEST_F(PipelineTest, WithoutTheCalculatorCellsAreUnverified) {
  UseRnet();
  hosts_.missing = "onnxruntime";
  ASSERT_EQ(Prepare()->state, "passed");
  const auto cell = Cell("ncnn");
  EXPECT_EQ(cell->state, "unverified");
  EXPECT_THAT(cell->reason, HasSubstr("onnxruntime is not installed"));
}

TEST_F(PipelineTest, WithoutItsJudgeACellIsUnverified) {
  UseRnet();
  ASSERT_EQ(Prepare()->state, "passed");
  hosts_.missing = "ncnn";
  const auto cell = Cell("ncnn");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "unverified");
  EXPECT_THAT(cell->reason, HasSubstr("ncnn is not installed"));
  EXPECT_FALSE(cell->files.empty());
}

TEST_F(PipelineTest, ADeadJudgeIsReplacedWithoutConvertingAgain) {
  UseRnet();
  ASSERT_EQ(Prepare()->state, "passed");
  hosts_.dying = "ncnn";
  hosts_.deaths = 2;
  steps_.clear();
  const auto cell = Cell("ncnn");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "passed") << cell->reason;
  EXPECT_EQ(std::count(steps_.begin(), steps_.end(), "converting"), 1);
}

TEST_F(PipelineTest, JudgesThatKeepDyingAreTheMachinesFault) {
  UseRnet();
  ASSERT_EQ(Prepare()->state, "passed");
  hosts_.dying = "ncnn";
  hosts_.deaths = 100;
  const auto cell = Cell("ncnn");
  EXPECT_EQ(KindOf(cell.status()), ErrorKind::kMachine) << cell.status();
}

TEST_F(PipelineTest, ASilentJudgeIsReplacedWithoutConvertingAgain) {
  UseRnet();
  ASSERT_EQ(Prepare()->state, "passed");
  hosts_.silent = "ncnn";
  hosts_.silences = 2;
  steps_.clear();
  const auto cell = Cell("ncnn");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "passed") << cell->reason;
  EXPECT_EQ(std::count(steps_.begin(), steps_.end(), "converting"), 1);
}

TEST_F(PipelineTest, JudgesThatNeverAnswerAreTheMachinesFault) {
  UseRnet();
  ASSERT_EQ(Prepare()->state, "passed");
  hosts_.silent = "ncnn";
  hosts_.silences = 100;
  const auto cell = Cell("ncnn");
  EXPECT_EQ(KindOf(cell.status()), ErrorKind::kMachine) << cell.status();
}

TEST_F(PipelineTest, AFileThatIsNoModelFailsWithItsReason) {
  std::ofstream(folder_.path() / "holiday.onnx") << "\xff\xd8\xff\xe0 not a model";
  inputs_.model.name = "holiday";
  inputs_.model.kind = "onnx";
  AddFile(folder_.path() / "holiday.onnx");
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->state, "failed");
  EXPECT_THAT(prepared->reason, HasSubstr("holiday.onnx"));
  EXPECT_EQ(json::parse(prepared->entry)["source"]["files"][0]["path"], "holiday.onnx");
  const auto cell = Cell("onnx");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->state, "failed");
  const json entry = json::parse(cell->entry);
  EXPECT_EQ(entry["status"], "failed");
  EXPECT_EQ(entry["reason"], cell->reason);
}

TEST_F(PipelineTest, AFullDiskIsTheMachinesFault) {
  UseRnet();
  inputs_.options.verify = false;
  inputs_.task = {SpecTask::Kind::kCell, 0, "onnx", "fp32", -1};
  TaskContext context = Context();
  context.scratch = "/dev/full/scratch";  // nothing can be made there
  const auto cell = RunCell(inputs_, context);
  EXPECT_EQ(KindOf(cell.status()), ErrorKind::kMachine) << cell.status();
}

}  // namespace
}  // namespace slipway
