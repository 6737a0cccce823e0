#include "convert/compare/compare.h"

#include <algorithm>

#include "common/base/error.h"
#include "convert/compare/baseline.h"
#include "convert/parity/interface.h"
#include "convert/parity/layers.h"

namespace slipway::compare {
namespace {

int Coarseness(std::string_view precision) {
  if (precision == "fp32") return 0;
  return precision == "fp16" || precision == "int16x8" ? 1 : 2;
}

// Of two targets the one whose gates are wider at this precision.
std::string WiderGates(const std::string& a, const std::string& b, const std::string& precision) {
  const auto limit = [&](const std::string& target) {
    return GateFor(target, precision, OutputRole::kRaw).l_inf_scaled.value_or(0);
  };
  return limit(a) > limit(b) ? a : b;
}

bool SameKind(DataType a, DataType b) {
  return IsFloat(a) == IsFloat(b) || a == DataType::kUndefined || b == DataType::kUndefined;
}

absl::Status DoNotFit(std::string_view what, const CommonTensor& common, const InterfaceTensor& own) {
  return InvalidArgument("the interfaces do not fit: {} '{}' of the baseline is {} {}, '{}' here is {} {}", what,
                         common.name, Name(common.type), ShapeText(common.shape), own.name, Name(own.type),
                         ShapeText(own.shape));
}

class Comparer {
 public:
  Comparer(HostProvider& hosts, Baseline& baseline, const Side& variant, const CompareOptions& options)
      : hosts_(hosts), baseline_(baseline), variant_(variant), options_(options) {}

  absl::StatusOr<Comparison> Run(const Side& baseline) {
    JudgeRequest& request = comparison_.request;
    request.target = variant_.target;
    request.precision =
        Coarseness(baseline.precision) > Coarseness(variant_.precision) ? baseline.precision : variant_.precision;
    request.gate_target = WiderGates(baseline.target, variant_.target, request.precision);
    request.tolerance = options_.tolerance;
    const std::filesystem::path path = std::filesystem::absolute(variant_.path).lexically_normal();
    request.folder = path.parent_path();
    request.emitted.path = path.filename().string();
    RETURN_IF_ERROR(FitInputs());
    ASSIGN_OR_RETURN(ReferenceBundle bundle, baseline_.Run(hosts_, options_));
    comparison_.baseline_judge = baseline_.judge();
    for (size_t i = 0; i < comparison_.inputs.size(); ++i)
      comparison_.inputs[i].shape = bundle.samples[0].inputs[order_[i]].second.shape();
    const absl::StatusOr<NamedTensors> first = RunOnce(bundle.samples[0]);
    if (!first.ok()) {
      if (KindOf(first.status()) == ErrorKind::kMachine && !absl::IsNotFound(first.status())) return first.status();
      // The Core ML reader's limits are the judge's, not the artifact's.
      const bool unread = absl::IsUnimplemented(first.status()) && variant_.target.starts_with("coreml");
      comparison_.result.verdict = absl::IsNotFound(first.status()) || unread ? Verdict::kNotRun : Verdict::kFailed;
      comparison_.result.reason = Message(first.status());
      return std::move(comparison_);
    }
    RETURN_IF_ERROR(FitOutputs(*first, bundle));
    FitLayers(bundle.samples[0]);
    ASSIGN_OR_RETURN(comparison_.result, Judge(hosts_, request, bundle));
    return std::move(comparison_);
  }

 private:
  absl::Status FixAsAsked() {
    for (const auto& [name, sizes] : options_.shapes) {
      const auto& inputs = baseline_.inputs();
      const auto found = std::ranges::find_if(
          inputs, [&](const CommonTensor& input) { return input.name == name || input.source == name; });
      if (found == inputs.end())
        return WithKind(InvalidArgument("--shape: the baseline has no input '{}'", name), ErrorKind::kUsage);
      const absl::Status fixed = baseline_.Fix(static_cast<size_t>(found - inputs.begin()), sizes);
      if (!fixed.ok()) return WithKind(Annotate(fixed, "--shape"), ErrorKind::kUsage);
    }
    return absl::OkStatus();
  }

  absl::Status FitInputs() {
    RETURN_IF_ERROR(FixAsAsked());
    ASSIGN_OR_RETURN(order_, MatchTensors(baseline_.inputs(), variant_.io.inputs, "inputs"));
    for (size_t i = 0; i < order_.size(); ++i) {
      const CommonTensor common = baseline_.inputs()[order_[i]];
      InterfaceTensor own = variant_.io.inputs[i];
      if (!variant_.ranked.at(own.name)) {
        // NCNN says no shapes but that a blob has no batch.
        const bool drops = variant_.target == "ncnn" && !common.shape.empty() && common.shape[0] <= 1;
        own.shape.assign(common.shape.size() - (drops ? 1 : 0), -1);
        own.dropped_axis = drops ? 0 : -1;
      }
      const std::optional<InterfaceTensor> fit = FitTensor(common, own);
      if (!fit || !SameKind(common.type, own.type)) return DoNotFit("input", common, own);
      RETURN_IF_ERROR(baseline_.Fix(order_[i], Settled(common, *fit)));
      comparison_.request.emitted.io.inputs.push_back(*fit);
      comparison_.inputs.push_back({common.name, own.name, {}});
    }
    return absl::OkStatus();
  }

  // What the variant's sizes say of the common ones that are open.
  static std::vector<int64_t> Settled(const CommonTensor& common, const InterfaceTensor& fit) {
    std::vector<int64_t> sizes(common.shape.size(), -1);
    size_t at = 0;
    for (size_t i = 0; i < common.shape.size(); ++i) {
      const size_t axis = fit.permutation.empty() ? i : static_cast<size_t>(fit.permutation[i]);
      if (static_cast<int64_t>(axis) == fit.dropped_axis) {
        if (common.shape[axis] < 0) sizes[axis] = 1;
      } else if (at < fit.shape.size()) {
        if (common.shape[axis] < 0) sizes[axis] = fit.shape[at];
        ++at;
      }
    }
    return sizes;
  }

  absl::StatusOr<NamedTensors> InputsOf(const Sample& sample) const {
    NamedTensors inputs;
    for (size_t i = 0; i < order_.size(); ++i) {
      const InterfaceTensor& input = comparison_.request.emitted.io.inputs[i];
      ASSIGN_OR_RETURN(Tensor tensor, ToArtifact(sample.inputs[order_[i]].second, input));
      inputs.emplace_back(input.name, std::move(tensor));
    }
    return inputs;
  }

  absl::StatusOr<NamedTensors> RunOnce(const Sample& sample) const {
    const std::string configuration = JudgeConfigurations(variant_.target, comparison_.request.precision).front();
    ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                     LoadArtifact(hosts_, variant_.target, configuration, variant_.path));
    ASSIGN_OR_RETURN(const NamedTensors inputs, InputsOf(sample));
    std::vector<std::string> want;
    for (const InterfaceTensor& output : variant_.io.outputs) want.push_back(output.name);
    return session->Run(inputs, want);
  }

  // By what came out: formats do not all say the shapes of their outputs.
  absl::Status FitOutputs(const NamedTensors& tensors, const ReferenceBundle& bundle) {
    const std::vector<CommonTensor> outputs = baseline_.outputs(bundle);
    ASSIGN_OR_RETURN(const std::vector<size_t> order, MatchTensors(outputs, variant_.io.outputs, "outputs"));
    if (tensors.size() != order.size()) return InvalidArgument("not every output came out");
    for (size_t i = 0; i < order.size(); ++i) {
      InterfaceTensor own = variant_.io.outputs[i];
      own.shape = tensors[i].second.shape();
      if (!variant_.described) own.type = tensors[i].second.type();
      std::optional<InterfaceTensor> fit = FitTensor(outputs[order[i]], own);
      if (!fit || !SameKind(outputs[order[i]].type, own.type)) return DoNotFit("output", outputs[order[i]], own);
      std::ranges::fill(fit->shape, -1);  // other samples may have other sizes
      comparison_.request.emitted.io.outputs.push_back(*std::move(fit));
    }
    return absl::OkStatus();
  }

  // Inner tensors that both sides show under one source's name.
  void FitLayers(const Sample& sample) {
    std::vector<std::string> names;
    const auto reference = [&](const std::string& name) {
      return std::ranges::find(sample.inner, variant_.layers.at(name), [](const auto& entry) { return entry.first; });
    };
    for (const std::string& name : variant_.layer_order) {
      if (reference(name) != sample.inner.end()) names.push_back(name);
    }
    const absl::StatusOr<NamedTensors> inputs = InputsOf(sample);
    if (names.empty() || !inputs.ok()) return;
    const std::vector<std::string> all = JudgeConfigurations(variant_.target, comparison_.request.precision);
    for (auto configuration = all.rbegin(); configuration != all.rend(); ++configuration) {
      const auto session = LoadArtifact(hosts_, variant_.target, *configuration, variant_.path, names);
      if (!session.ok() || !(*session)->CanFetch()) continue;
      const std::map<std::string, Tensor> fetched = FetchTensors(**session, *inputs, names);
      for (const std::string& name : names) {
        const auto tensor = fetched.find(name);
        if (tensor == fetched.end()) continue;
        auto value = FitLayer(reference(name)->second, variant_.layers.at(name), name, tensor->second);
        if (value) comparison_.request.emitted.values.push_back(*std::move(value));
      }
      return;
    }
  }

  HostProvider& hosts_;
  Baseline& baseline_;
  const Side& variant_;
  const CompareOptions& options_;
  Comparison comparison_;
  std::vector<size_t> order_;  // of each input of the variant: which of the baseline's
};

}  // namespace

absl::StatusOr<Comparison> CompareModels(HostProvider& hosts, const Side& baseline, const Side& variant,
                                         const CompareOptions& options) {
  Side first = baseline, second = variant;
  // A tensor's name says little where a format's writer fused what follows into it: names of one format mean the same, of two only where their sources are known.
  for (Side* side : {&first, &second}) {
    if (baseline.layers_known && variant.layers_known) continue;
    if (baseline.target != variant.target) side->layer_order.clear();
    side->layers.clear();
    for (const std::string& name : side->layer_order) side->layers[name] = name;
  }
  ASSIGN_OR_RETURN(Baseline opened, Baseline::Open(first));
  return Comparer(hosts, opened, second, options).Run(first);
}

}  // namespace slipway::compare
