// What a request becomes, and which requests are refused.
#include "coordinator/planner/plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "common/base/error.h"
#include "coordinator/planner/validate.h"

namespace slipway {
namespace {

v1::InputFile File(std::string_view bytes, std::string_view name = "") {
  v1::InputFile file;
  file.set_path("models/" + std::string(bytes));
  file.set_name(std::string(name));
  const Digest digest = Digest::Of(bytes);
  file.mutable_digest()->set_sha256(digest.Hex());
  file.mutable_digest()->set_bytes(digest.bytes);
  return file;
}

void AddPair(v1::SubmitRequest& request, const char* target) {
  v1::Pair& pair = *request.add_pairs();
  pair.set_target(target);
  pair.set_precision("fp32");
}

// Two models, one of them with external data, in two pairs.
v1::SubmitRequest TwoModels() {
  v1::SubmitRequest request;
  request.set_idempotency_key("key-1");
  v1::ModelSpec& first = *request.add_models();
  first.set_name("pnet");
  first.set_kind(v1::SOURCE_KIND_CHECKPOINT);
  first.set_architecture("mtcnn-pnet");
  *first.add_files() = File("pnet");
  v1::ModelSpec& second = *request.add_models();
  second.set_name("detector");
  second.set_kind(v1::SOURCE_KIND_ONNX);
  *second.add_files() = File("graph");
  *second.add_files() = File("weights", "weights.bin");
  AddPair(request, "onnx");
  AddPair(request, "tflite");
  return request;
}

// The preparation runs the source on onnxruntime; each cell needs its own judge; nothing needs one when nothing is verified.
TEST(Plan, ATaskNamesTheRuntimeAndTheMemoryThatItNeeds) {
  v1::SubmitRequest request = TwoModels();
  AddPair(request, "ncnn");
  AddPair(request, "coreml");
  const auto classes = [&] {
    std::vector<std::string> names;
    for (const QueuedTask& task : PlanRequest(request).tasks) names.push_back(task.task_class);
    return names;
  };
  const std::vector<std::string> small = {"onnxruntime", "onnxruntime", "litert", "ncnn", "onnxruntime"};
  std::vector<std::string> expected = small;
  expected.insert(expected.end(), small.begin(), small.end());
  EXPECT_EQ(classes(), expected);
  // The second model's external data: 3 GB, of which half is copied.
  request.mutable_models(1)->mutable_files(1)->mutable_digest()->set_bytes(3'000'000'000);
  expected = small;
  for (const std::string& name : small) expected.push_back(name + "+8g");
  EXPECT_EQ(classes(), expected);
  request.mutable_models(1)->mutable_files(1)->mutable_digest()->set_bytes(1'300'000'000);
  expected = small;
  expected.insert(expected.end(), small.begin(), small.end());
  EXPECT_EQ(classes(), expected) << "1.5 times that and 100 MiB fit into 2 GiB";
  request.mutable_options()->set_no_verify(true);
  request.mutable_models(1)->mutable_files(1)->mutable_digest()->set_bytes(30'000'000'000);
  EXPECT_EQ(classes(), (std::vector<std::string>{"any", "any", "any", "any", "any", "any+32g", "any+32g", "any+32g",
                                                 "any+32g", "any+32g"}));
}

TEST(Plan, EachModelHasOnePrepareThatBlocksItsCells) {
  const Plan plan = PlanRequest(TwoModels());
  ASSERT_EQ(plan.spec.tasks.size(), 6u);
  ASSERT_EQ(plan.tasks.size(), 6u);
  const int expected_blockers[] = {-1, 0, 0, -1, 3, 3};
  const char* expected_targets[] = {"", "onnx", "tflite", "", "onnx", "tflite"};
  for (size_t i = 0; i < 6; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(plan.tasks[i].index, i);
    EXPECT_EQ(plan.tasks[i].blocked_by, expected_blockers[i]);
    EXPECT_EQ(plan.spec.tasks[i].prepare, expected_blockers[i]);
    EXPECT_EQ(plan.spec.tasks[i].target, expected_targets[i]);
    EXPECT_EQ(plan.spec.tasks[i].model, i / 3);
    EXPECT_EQ(plan.spec.tasks[i].kind, expected_blockers[i] < 0 ? SpecTask::Kind::kPrepare : SpecTask::Kind::kCell);
  }
}

TEST(Plan, SpecCarriesModelsAndOptions) {
  v1::SubmitRequest request = TwoModels();
  (*request.mutable_options()->mutable_interface()->mutable_shapes())["image"].add_values(1);
  v1::InterfaceOptions& interface = *request.mutable_options()->mutable_interface();
  (*interface.mutable_fix())["threshold"].add_values(0.5);
  interface.add_cut_inputs("a");
  interface.add_cut_outputs("b");
  interface.add_mean(0.25);
  interface.add_std(0.75);
  interface.set_scale(2);
  interface.set_softmax(true);
  interface.add_input_names("image");
  interface.add_output_names("probs");
  interface.set_channels_last(true);
  interface.add_labels("cat");
  interface.set_labels_file("pets.txt");
  request.mutable_options()->set_no_verify(true);
  request.mutable_options()->set_seed(7);
  const Plan plan = PlanRequest(request);
  EXPECT_EQ(plan.spec.models[0].kind, "checkpoint");
  EXPECT_EQ(plan.spec.models[0].architecture, "mtcnn-pnet");
  EXPECT_EQ(plan.spec.models[0].files[0].path, "models/pnet");
  EXPECT_EQ(plan.spec.models[1].kind, "onnx");
  EXPECT_EQ(plan.spec.models[1].files[1].name, "weights.bin");
  EXPECT_EQ(plan.spec.models[1].files[1].digest, Digest::Of(std::string_view("weights")));
  EXPECT_EQ(plan.spec.options.interface.shapes.at("image"), std::vector<int64_t>{1});
  const InterfaceOptions& planned = plan.spec.options.interface;
  EXPECT_EQ(planned.fix.at("threshold"), std::vector<double>{0.5});
  EXPECT_EQ(planned.cut_inputs, std::vector<std::string>{"a"});
  EXPECT_EQ(planned.cut_outputs, std::vector<std::string>{"b"});
  EXPECT_EQ(planned.mean, std::vector<double>{0.25});
  EXPECT_EQ(planned.std, std::vector<double>{0.75});
  EXPECT_EQ(planned.scale, 2);
  EXPECT_TRUE(planned.softmax);
  EXPECT_EQ(planned.input_names, std::vector<std::string>{"image"});
  EXPECT_EQ(planned.output_names, std::vector<std::string>{"probs"});
  EXPECT_TRUE(planned.channels_last);
  EXPECT_EQ(planned.labels, std::vector<std::string>{"cat"});
  EXPECT_EQ(planned.labels_file, "pets.txt");
  EXPECT_FALSE(plan.spec.options.verify);
  EXPECT_EQ(plan.spec.options.seed, 7u);
  EXPECT_EQ(plan.spec.options.opset, 17);  // the defaults that 0 stands for
  EXPECT_EQ(plan.spec.options.samples, 8);
}

TEST(Plan, InputsAreNamedOnce) {
  v1::SubmitRequest request = TwoModels();
  *request.mutable_models(1)->mutable_files(0) = File("pnet");  // both models share a file
  const Plan plan = PlanRequest(request);
  EXPECT_EQ(plan.inputs,
            (std::vector<Digest>{Digest::Of(std::string_view("pnet")), Digest::Of(std::string_view("weights"))}));
}

TEST(Plan, NoopCellsAreReadyAtOnce) {
  v1::SubmitRequest request = TwoModels();
  v1::ModelSpec noop;
  noop.set_name("n");
  noop.set_kind(v1::SOURCE_KIND_NOOP);
  request.clear_models();
  *request.add_models() = noop;
  const Plan plan = PlanRequest(request);
  ASSERT_EQ(plan.tasks.size(), 2u);
  EXPECT_EQ(plan.tasks[0].blocked_by, -1);
  EXPECT_EQ(plan.tasks[1].blocked_by, -1);
  EXPECT_EQ(plan.spec.tasks[0].kind, SpecTask::Kind::kCell);
}

struct Refusal {
  const char* name;
  const char* field;  // what the message begins with
  std::function<void(v1::SubmitRequest&)> spoil;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class Validation : public testing::TestWithParam<Refusal> {};

TEST_P(Validation, Refuses) {
  v1::SubmitRequest request = TwoModels();
  ASSERT_EQ(ValidateRequest(request), absl::OkStatus());
  GetParam().spoil(request);
  const absl::Status status = ValidateRequest(request);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_TRUE(Message(status).starts_with(std::string(GetParam().field) + ": ")) << status;
}

using R = v1::SubmitRequest;
const Refusal kRefusals[] = {
    {"NoModels", "models", [](R& r) { r.clear_models(); }},
    {"NoPairs", "pairs", [](R& r) { r.clear_pairs(); }},
    {"EmptyName", "models[0].name", [](R& r) { r.mutable_models(0)->clear_name(); }},
    {"NameWithSlash", "models[1].name", [](R& r) { r.mutable_models(1)->set_name("a/b"); }},
    {"NameIsParent", "models[0].name", [](R& r) { r.mutable_models(0)->set_name(".."); }},
    {"LongName", "models[0].name", [](R& r) { r.mutable_models(0)->set_name(std::string(kMaxNameBytes + 1, 'a')); }},
    {"SameName", "models[1].name", [](R& r) { r.mutable_models(1)->set_name("pnet"); }},
    {"NoKind", "models[0].kind", [](R& r) { r.mutable_models(0)->clear_kind(); }},
    {"UnknownKind", "models[0].kind", [](R& r) { r.mutable_models(0)->set_kind(static_cast<v1::SourceKind>(77)); }},
    {"NoArchitecture", "models[0].architecture", [](R& r) { r.mutable_models(0)->clear_architecture(); }},
    {"NeedlessArchitecture", "models[1].architecture", [](R& r) { r.mutable_models(1)->set_architecture("x"); }},
    {"NoFiles", "models[1].files", [](R& r) { r.mutable_models(1)->clear_files(); }},
    {"TwoCheckpoints", "models[0].files", [](R& r) { *r.mutable_models(0)->add_files() = File("b", "b"); }},
    {"DummyWithFile", "models[0].files", [](R& r) { r.mutable_models(0)->set_kind(v1::SOURCE_KIND_DUMMY); }},
    {"NoMainFile", "models[1].files", [](R& r) { r.mutable_models(1)->mutable_files(0)->set_name("other"); }},
    {"TwoMainFiles", "models[1].files[1]", [](R& r) { r.mutable_models(1)->mutable_files(1)->clear_name(); }},
    {"SameExternalFile", "models[1].files[2]",
     [](R& r) { *r.mutable_models(1)->add_files() = File("c", "weights.bin"); }},
    {"ExternalFileOutside", "models[1].files[1]",
     [](R& r) { r.mutable_models(1)->mutable_files(1)->set_name("../secret"); }},
    {"NoDigest", "models[0].files[0]", [](R& r) { r.mutable_models(0)->mutable_files(0)->clear_digest(); }},
    {"ShortDigest", "models[0].files[0]",
     [](R& r) { r.mutable_models(0)->mutable_files(0)->mutable_digest()->set_sha256("ab"); }},
    {"AbsurdSize", "models[0].files[0]",
     [](R& r) { r.mutable_models(0)->mutable_files(0)->mutable_digest()->set_bytes(~uint64_t{0}); }},
    {"LongPath", "models[0].files[0]",
     [](R& r) { r.mutable_models(0)->mutable_files(0)->set_path(std::string(kMaxPathBytes + 1, 'a')); }},
    {"UnknownTarget", "pairs[0].target", [](R& r) { r.mutable_pairs(0)->set_target("paper"); }},
    {"UnknownPrecision", "pairs[0].precision", [](R& r) { r.mutable_pairs(0)->set_precision("fp31"); }},
    {"ImpossiblePair", "pairs[0]", [](R& r) { r.mutable_pairs(0)->set_precision("int16x8"); }},
    {"SamePair", "pairs[2]", [](R& r) { *r.add_pairs() = r.pairs(0); }},
    {"TooManyTasks", "models",
     [](R& r) {
       for (int i = 0; i < kMaxTasks / 2; ++i) *r.add_models() = r.models(0);
     }},
    {"EmptyShapeName", "options.interface.shapes[\"\"]",
     [](R& r) { (*r.mutable_options()->mutable_interface()->mutable_shapes())[""].add_values(1); }},
    {"ZeroSize", "options.interface.shapes[\"x\"]",
     [](R& r) { (*r.mutable_options()->mutable_interface()->mutable_shapes())["x"].add_values(0); }},
    {"HugeSize", "options.interface.shapes[\"x\"]",
     [](R& r) { (*r.mutable_options()->mutable_interface()->mutable_shapes())["x"].add_values(int64_t{1} << 40); }},
    {"EmptyFix", "options.interface.fix[\"x\"]",
     [](R& r) { (*r.mutable_options()->mutable_interface()->mutable_fix())["x"]; }},
    {"ZeroStd", "options.interface.std", [](R& r) { r.mutable_options()->mutable_interface()->add_std(0); }},
    {"InfiniteMean", "options.interface.mean",
     [](R& r) { r.mutable_options()->mutable_interface()->add_mean(std::numeric_limits<double>::infinity()); }},
    {"NegativeScale", "options.interface.scale", [](R& r) { r.mutable_options()->mutable_interface()->set_scale(-1); }},
    {"SameCutTwice", "options.interface.cut_outputs",
     [](R& r) {
       r.mutable_options()->mutable_interface()->add_cut_outputs("a");
       r.mutable_options()->mutable_interface()->add_cut_outputs("a");
     }},
    {"EmptyInputName", "options.interface.input_names",
     [](R& r) { r.mutable_options()->mutable_interface()->add_input_names(""); }},
    {"OldOpset", "options.opset", [](R& r) { r.mutable_options()->set_opset(6); }},
    {"FutureOpset", "options.opset", [](R& r) { r.mutable_options()->set_opset(27); }},
    {"NegativeSamples", "options.samples", [](R& r) { r.mutable_options()->set_samples(-1); }},
    {"ZeroTolerance", "options.tolerance", [](R& r) { r.mutable_options()->set_tolerance(0); }},
    {"NanTolerance", "options.tolerance",
     [](R& r) { r.mutable_options()->set_tolerance(std::numeric_limits<double>::quiet_NaN()); }},
    {"Priority", "priority", [](R& r) { r.set_priority(std::numeric_limits<int32_t>::min()); }},
    {"KeyWithNewline", "idempotency_key", [](R& r) { r.set_idempotency_key("a\nb"); }},
    {"LongKey", "idempotency_key", [](R& r) { r.set_idempotency_key(std::string(kMaxNameBytes + 1, 'a')); }},
};
INSTANTIATE_TEST_SUITE_P(Request, Validation, testing::ValuesIn(kRefusals),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway
