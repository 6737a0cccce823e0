#include "coordinator/planner/plan.h"

#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "common/rpc/digest_message.h"
#include "common/task/task_class.h"
#include "convert/capabilities/capabilities.h"

namespace slipway {
namespace {

std::string_view KindName(v1::SourceKind kind) {
  switch (kind) {
    case v1::SOURCE_KIND_CHECKPOINT:
      return "checkpoint";
    case v1::SOURCE_KIND_DUMMY:
      return "dummy";
    case v1::SOURCE_KIND_NOOP:
      return "noop";
    default:
      return "onnx";
  }
}

InterfaceOptions PlanInterface(const v1::InterfaceOptions& options) {
  InterfaceOptions planned;
  for (const auto& [input, shape] : options.shapes())
    planned.shapes[input].assign(shape.values().begin(), shape.values().end());
  for (const auto& [input, fixed] : options.fix())
    planned.fix[input].assign(fixed.values().begin(), fixed.values().end());
  planned.cut_inputs.assign(options.cut_inputs().begin(), options.cut_inputs().end());
  planned.cut_outputs.assign(options.cut_outputs().begin(), options.cut_outputs().end());
  planned.mean.assign(options.mean().begin(), options.mean().end());
  planned.std.assign(options.std().begin(), options.std().end());
  if (options.has_scale()) planned.scale = options.scale();
  planned.softmax = options.softmax();
  planned.input_names.assign(options.input_names().begin(), options.input_names().end());
  planned.output_names.assign(options.output_names().begin(), options.output_names().end());
  planned.channels_last = options.channels_last();
  planned.labels.assign(options.labels().begin(), options.labels().end());
  planned.labels_file = options.labels_file();
  return planned;
}

SpecOptions PlanOptions(const v1::ExportOptions& options) {
  SpecOptions planned;
  planned.interface = PlanInterface(options.interface());
  if (options.opset() != 0) planned.opset = options.opset();
  if (options.samples() != 0) planned.samples = options.samples();
  planned.seed = options.seed();
  planned.verify = !options.no_verify();
  if (options.has_tolerance()) planned.tolerance = options.tolerance();
  if (options.has_num_classes()) planned.num_classes = options.num_classes();
  if (options.has_input_size()) planned.input_size = options.input_size();
  return planned;
}

// What a converter takes beside the mapped model: weights that are changed are copied.
uint64_t MemoryFor(const v1::ModelSpec& model) {
  uint64_t bytes = 0;
  for (const v1::InputFile& file : model.files()) bytes += file.digest().bytes();
  return bytes + bytes / 2 + (uint64_t{100} << 20);
}

// That compares the pair's artifact with its source.
std::string_view RuntimeFor(const std::string& target) {
  const std::string_view judge = FindTarget(target)->judge;
  return judge == "coreml-interpreter" ? "onnxruntime" : judge;
}

}  // namespace

Plan PlanRequest(const v1::SubmitRequest& request) {
  Plan plan;
  plan.spec.options = PlanOptions(request.options());
  absl::flat_hash_set<Digest> inputs;
  const bool verify = plan.spec.options.verify;
  const auto add_task = [&plan](SpecTask task, std::string task_class) {
    QueuedTask queued;
    queued.index = static_cast<uint32_t>(plan.spec.tasks.size());
    queued.blocked_by = task.prepare;
    queued.task_class = std::move(task_class);
    plan.tasks.push_back(queued);
    plan.spec.tasks.push_back(std::move(task));
    return static_cast<int32_t>(queued.index);
  };
  for (const v1::ModelSpec& model : request.models()) {
    SpecModel planned{
        .name = model.name(), .kind = std::string(KindName(model.kind())), .architecture = model.architecture()};
    for (const v1::InputFile& file : model.files()) {
      const Digest digest = FromDigestMessage(file.digest()).value();
      planned.files.push_back({.path = file.path(), .name = file.name(), .digest = digest});
      if (inputs.insert(digest).second) plan.inputs.push_back(digest);
    }
    const auto model_index = static_cast<uint32_t>(plan.spec.models.size());
    plan.spec.models.push_back(std::move(planned));
    const bool noop = model.kind() == v1::SOURCE_KIND_NOOP;
    const uint64_t memory = noop ? 0 : MemoryFor(model);
    const auto class_of = [&](std::string_view runtime) { return TaskClass(verify && !noop ? runtime : "", memory); };
    const int32_t prepare =
        noop ? -1 : add_task({.kind = SpecTask::Kind::kPrepare, .model = model_index}, class_of("onnxruntime"));
    for (const v1::Pair& pair : request.pairs()) {
      add_task({.kind = SpecTask::Kind::kCell,
                .model = model_index,
                .target = pair.target(),
                .precision = pair.precision(),
                .prepare = prepare},
               class_of(RuntimeFor(pair.target())));
    }
  }
  return plan;
}

}  // namespace slipway
