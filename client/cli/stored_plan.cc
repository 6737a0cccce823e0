#include "client/cli/stored_plan.h"

#include "common/base/error.h"
#include "convert/capabilities/capabilities.h"

namespace slipway::cli {
namespace {

absl::StatusOr<ModelArgument> ModelOf(const SpecModel& spec) {
  if (!IsModelName(spec.name)) return DataLoss("the request's spec names a model '{}'", spec.name);
  ModelArgument model;
  model.name = spec.name;
  model.kind = spec.kind;
  model.architecture = spec.architecture;
  for (const SpecFile& file : spec.files) model.files.push_back({file.path, file.name, file.digest});
  model.argument = spec.name + "=" + spec.architecture;
  if (!model.files.empty()) model.argument += (spec.architecture.empty() ? "" : "@") + model.files.front().path;
  return model;
}

template <typename T>
std::optional<T> UnlessStandard(T value, T standard) {
  return value == standard ? std::nullopt : std::optional<T>(value);
}

}  // namespace

absl::StatusOr<RequestSpec> ReadSpec(FarmClient& farm, const RequestStatus& request) {
  if (!request.spec_json.empty()) return RequestSpec::FromJson(request.spec_json);
  ASSIGN_OR_RETURN(const std::string json, farm.DownloadBytes(request.spec));
  return RequestSpec::FromJson(json);
}

absl::StatusOr<ExportPlan> PlanOf(const RequestSpec& spec) {
  const SpecOptions standard;
  ExportPlan plan;
  for (const SpecModel& model : spec.models) {
    if (model.kind == "noop")
      return WithKind(FailedPrecondition("the request measures the farm: it makes no files"), ErrorKind::kUsage);
    ASSIGN_OR_RETURN(plan.models.emplace_back(), ModelOf(model));
    plan.dummy |= model.kind == "dummy";
  }
  for (const SpecTask& task : spec.tasks) {
    if (task.kind != SpecTask::Kind::kCell || task.model != 0) continue;  // every model is made in every pair
    if (!CanExport(task.target, task.precision, nullptr))
      return DataLoss("the request's spec names {} at {}, which this client does not know", task.target,
                      task.precision);
    plan.pairs.emplace_back(task.target, task.precision);
  }
  plan.interface = spec.options.interface;
  plan.opset = UnlessStandard<int64_t>(spec.options.opset, standard.opset);
  plan.samples = UnlessStandard<int64_t>(spec.options.samples, standard.samples);
  plan.tolerance = spec.options.tolerance;
  plan.num_classes = spec.options.num_classes;
  plan.input_size = spec.options.input_size;
  plan.verify = spec.options.verify;
  return plan;
}

}  // namespace slipway::cli
