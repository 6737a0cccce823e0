#include <algorithm>
#include <cmath>

#include "common/base/error.h"
#include "convert/parity/images.h"
#include "convert/parity/interface.h"
#include "convert/parity/layers.h"
#include "convert/parity/parity.h"

namespace slipway {
namespace {

const Tensor* Find(const NamedTensors& tensors, std::string_view name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

// One tensor that is judged: the reference's and the artifact's, sample by sample.
struct Judged {
  std::string name;
  OutputRole role = OutputRole::kRaw;
  std::vector<Tensor> reference, actual;
};

// The artifact's tensor that shows what stands before a final activation.
struct InnerTensor {
  const FinalActivation* activation;
  const ArtifactValue* value;
};

const FinalActivation* ActivationOf(const ReferenceBundle& reference, std::string_view output) {
  for (const FinalActivation& activation : reference.final_activations) {
    if (activation.output == output) return &activation;
  }
  return nullptr;
}

bool HasBefore(const ReferenceBundle& reference, const FinalActivation& activation) {
  return !activation.before.empty() && std::ranges::all_of(reference.samples, [&](const Sample& sample) {
    return Find(sample.before_activation, activation.before) != nullptr;
  });
}

std::vector<InnerTensor> InnerTensors(const Emitted& emitted, const ReferenceBundle& reference) {
  std::vector<InnerTensor> inner;
  for (const FinalActivation& activation : reference.final_activations) {
    if (!HasBefore(reference, activation)) continue;
    const auto value = std::ranges::find(emitted.values, activation.before,
                                         [](const ArtifactValue& candidate) { return candidate.origin.source; });
    const bool scaled_by_zero =
        value != emitted.values.end() && std::ranges::count(value->origin.channel_scale, 0.0f) > 0;
    if (value != emitted.values.end() && !scaled_by_zero) inner.push_back({&activation, &*value});
  }
  return inner;
}

OutputRole RoleOf(const Tensor& tensor, const FinalActivation* activation) {
  if (!IsFloat(tensor.type())) return OutputRole::kInteger;
  return activation != nullptr ? OutputRole::kProbability : OutputRole::kRaw;
}

// Where no tensor shows what stands before the activation: log-probabilities of a softmax, logits of a sigmoid, both from the probabilities, where these are
// far enough from 0 (and 1) for the logarithm to say more than rounding.
void AppendDerived(const FinalActivation& activation, const Tensor& reference, const Tensor& actual, Judged& judged) {
  constexpr double kLeast = 1e-2;
  const bool sigmoid = activation.kind == OpKind::kSigmoid;
  const std::vector<double> r = reference.ToDoubles();
  const std::vector<double> a = actual.ToDoubles();
  std::vector<double> kept_reference, kept_actual;
  const auto derived = [&](double p) { return sigmoid ? std::log(p / (1 - p)) : std::log(p); };
  for (size_t i = 0; i < r.size() && i < a.size(); ++i) {
    if (!(r[i] >= kLeast) || (sigmoid && !(r[i] <= 1 - kLeast))) continue;
    kept_reference.push_back(derived(r[i]));
    kept_actual.push_back(derived(a[i]));
  }
  const std::vector<int64_t> shape = {static_cast<int64_t>(kept_reference.size())};
  judged.reference.push_back(Tensor::From<double>(shape, kept_reference));
  judged.actual.push_back(Tensor::From<double>(shape, kept_actual));
}

class Judgement {
 public:
  Judgement(HostProvider& hosts, const JudgeRequest& request, const ReferenceBundle& reference)
      : hosts_(hosts), request_(request), reference_(reference), inner_(InnerTensors(request.emitted, reference)) {}

  // An error is the machine's; whatever the artifact did wrong is in the run.
  absl::StatusOr<JudgeRun> Run(const std::string& configuration) {
    JudgeRun run;
    run.verified_by = JudgeOf(request_.target, configuration);
    absl::StatusOr<std::unique_ptr<Session>> session = Load(configuration);
    if (!session.ok()) {
      const absl::Status& status = session.status();
      // The Core ML reader's limits are the judge's, not the artifact's.
      const bool unread = absl::IsUnimplemented(status) && request_.target.starts_with("coreml");
      // Of the memory that the model may take; a full disk is the machine's trouble.
      const bool too_large = absl::IsResourceExhausted(status) && KindOf(status) == ErrorKind::kModel;
      if (absl::IsNotFound(status) || too_large || unread) {
        run.verdict = Verdict::kNotRun;
      } else if (KindOf(status) == ErrorKind::kModel) {
        run.verdict = Verdict::kFailed;
      } else {
        return status;
      }
      run.reason = Message(status);
      return run;
    }
    run.verified_by = (*session)->identity();
    std::vector<Judged> judged;
    const absl::Status collected = Collect(**session, judged);
    if (!collected.ok()) {
      if (KindOf(collected) != ErrorKind::kModel) return collected;
      run.verdict = absl::IsResourceExhausted(collected) ? Verdict::kNotRun : Verdict::kFailed;
      run.reason = Message(collected);
    } else {
      ASSIGN_OR_RETURN(run, Decide(judged, std::move(run)));
    }
    if (run.verdict == Verdict::kFailed && one_by_one_) run.reason += " (a batch ran image by image)";
    return run;
  }

  std::vector<std::pair<OutputRole, Gate>> thresholds() const {
    std::vector<std::pair<OutputRole, Gate>> gates;
    for (const OutputRole role : roles_) gates.emplace_back(role, GateOf(role));
    return gates;
  }

 private:
  Gate GateOf(OutputRole role) const { return request_.GateOf(role); }

  absl::StatusOr<std::unique_ptr<Session>> Load(const std::string& configuration) {
    const std::filesystem::path artifact = request_.folder / request_.emitted.path;
    if (!std::filesystem::exists(artifact)) return Internal("there is no artifact at {}", artifact.string());
    std::vector<std::string> names;
    for (const InnerTensor& inner : inner_) names.push_back(inner.value->name);
    auto session = LoadArtifact(hosts_, request_.target, configuration, artifact, names);
    // A copy with more outputs may be refused where the artifact is not.
    if (names.empty() || session.ok() || !absl::IsInvalidArgument(session.status())) return session;
    return LoadArtifact(hosts_, request_.target, configuration, artifact);
  }

  // What came out, once for each image where the artifact has no batch.
  absl::StatusOr<std::vector<NamedTensors>> RunSample(Session& session, const Sample& sample, bool with_inner) {
    std::vector<std::string> want;
    for (const InterfaceTensor& output : request_.emitted.io.outputs) want.push_back(output.name);
    if (with_inner) {
      for (const InnerTensor& inner : inner_) want.push_back(inner.value->name);
    }
    std::vector<NamedTensors> images;
    const int64_t count = ImagesOf(request_.emitted.io, sample, reference_.samples);
    one_by_one_ |= count > 1;
    for (int64_t image = 0; image < count; ++image) {
      NamedTensors inputs;
      for (const InterfaceTensor& input : request_.emitted.io.inputs) {
        const Tensor* source = Find(sample.inputs, input.source);
        if (source == nullptr)
          return InvalidArgument("input '{}' stands for '{}', which the source does not have", input.name,
                                 input.source);
        ASSIGN_OR_RETURN(Tensor tensor, ToArtifact(ImageOf(*source, input, image, count), input));
        inputs.emplace_back(input.name, std::move(tensor));
      }
      ASSIGN_OR_RETURN(NamedTensors tensors, session.Run(inputs, want));
      images.push_back(std::move(tensors));
    }
    return images;
  }

  // Runs every sample and brings what came out into the source's form.
  absl::Status Collect(Session& session, std::vector<Judged>& judged) {
    bool with_inner = session.CanFetch() && !inner_.empty();
    for (size_t i = 0; i < reference_.samples.size(); ++i) {
      const Sample& sample = reference_.samples[i];
      absl::StatusOr<std::vector<NamedTensors>> images = RunSample(session, sample, with_inner);
      if (with_inner && i == 0 && absl::IsInvalidArgument(images.status())) {
        with_inner = false;  // the runtime has no such tensor any more
        images = RunSample(session, sample, false);
      }
      if (!images.ok()) return images.status();
      size_t at = 0;
      const auto next = [&](const std::string& name, OutputRole role) -> Judged& {
        if (at == judged.size()) judged.push_back({name, role, {}, {}});
        return judged[at++];
      };
      for (const auto& [name, expected] : sample.outputs) {
        const FinalActivation* activation = ActivationOf(reference_, name);
        ASSIGN_OR_RETURN(const Tensor tensor, OutputOf(*images, name, expected));
        Judged& output = next(name, RoleOf(expected, activation));
        output.reference.push_back(expected);
        output.actual.push_back(tensor);
        if (activation == nullptr || IsShown(*activation, session, with_inner)) continue;
        AppendDerived(*activation, expected, tensor,
                      next(name + " (from the probabilities)", OutputRole::kBeforeActivation));
      }
      for (const InnerTensor& inner : inner_) {
        if (!with_inner) break;
        const Tensor& expected = *Find(sample.before_activation, inner.activation->before);
        ASSIGN_OR_RETURN(Tensor tensor, InnerOf(*images, *inner.value, expected));
        Judged& before = next(inner.activation->before, OutputRole::kBeforeActivation);
        before.reference.push_back(expected);
        before.actual.push_back(std::move(tensor));
      }
    }
    return absl::OkStatus();
  }

  // `name` of every image, brought into the source's form by `convert`, as one tensor of the reference's shape.
  template <typename Convert>
  static absl::StatusOr<Tensor> Joined(const std::vector<NamedTensors>& images, const std::string& name,
                                       const Tensor& expected, Convert convert) {
    std::vector<Tensor> tensors;
    for (const NamedTensors& image : images) {
      const Tensor* raw = Find(image, name);
      if (raw == nullptr) return InvalidArgument("'{}' did not come out", name);
      ASSIGN_OR_RETURN(Tensor tensor, convert(*raw));
      tensors.push_back(std::move(tensor));
    }
    return JoinImages(tensors, expected.shape());
  }

  static absl::StatusOr<Tensor> InnerOf(const std::vector<NamedTensors>& images, const ArtifactValue& value,
                                        const Tensor& expected) {
    return Joined(images, value.name, expected, [&](const Tensor& raw) { return ToSource(raw, value); });
  }

  absl::StatusOr<Tensor> OutputOf(const std::vector<NamedTensors>& images, const std::string& name,
                                  const Tensor& expected) const {
    const auto& outputs = request_.emitted.io.outputs;
    const auto interface = std::ranges::find(outputs, name, &InterfaceTensor::source);
    if (interface == outputs.end()) return InvalidArgument("output '{}' is missing", name);
    absl::StatusOr<Tensor> tensor = Joined(images, interface->name, expected, [&](const Tensor& raw) {
      return ToSource(raw, *interface, expected.type());
    });
    if (!tensor.ok()) return Annotate(tensor.status(), fmt::format("output '{}'", name));
    // A scalar that the format cannot say is [1].
    if (expected.rank() == 0 && tensor->rank() == 1 && tensor->size() == 1) return tensor->Reshaped({});
    return tensor;
  }

  // Whether what stands before the activation is seen in this run, or in another configuration of the same artifact.
  bool IsShown(const FinalActivation& activation, const Session& session, bool with_inner) const {
    const bool is_output = std::ranges::any_of(request_.emitted.io.outputs, [&](const InterfaceTensor& output) {
      return !activation.before.empty() && output.source == activation.before;
    });
    const bool is_inner =
        std::ranges::any_of(inner_, [&](const InnerTensor& inner) { return inner.activation == &activation; });
    return is_output || (is_inner && (with_inner || !session.CanFetch()));
  }

  // Probabilities of made-up weights are not, where the same run shows what stands before them.
  bool IsGated(const Judged& tensor, const std::vector<Judged>& judged) const {
    if (!request_.made_up_weights || request_.tolerance || tensor.role != OutputRole::kProbability) return true;
    return std::ranges::none_of(judged, [](const Judged& other) {
      return other.role == OutputRole::kBeforeActivation &&
             std::ranges::any_of(other.reference, [](const Tensor& shown) { return shown.size() > 0; });
    });
  }

  // Whether every gate holds. Figures and the first reason go to `run` if given.
  absl::StatusOr<bool> GatesHold(const std::vector<Judged>& judged, JudgeRun* run) const {
    bool holds = true;
    for (const Judged& tensor : judged) {
      absl::StatusOr<Metrics> metrics = Compare(tensor.reference, tensor.actual);
      if (!metrics.ok()) return Annotate(metrics.status(), fmt::format("output '{}'", tensor.name));
      std::string reason;
      const bool passes = (IsGated(tensor, judged) ? GateOf(tensor.role) : Gate()).Holds(*metrics, &reason);
      if (!passes && holds && run != nullptr) run->reason = fmt::format("'{}': {}", tensor.name, reason);
      holds = holds && passes;
      if (run != nullptr) run->outputs.push_back({tensor.name, tensor.role, *metrics});
    }
    return holds;
  }

  absl::StatusOr<JudgeRun> Decide(std::vector<Judged>& judged, JudgeRun run) {
    for (const Judged& tensor : judged) {
      if (IsGated(tensor, judged) && std::ranges::count(roles_, tensor.role) == 0) roles_.push_back(tensor.role);
    }
    const absl::StatusOr<bool> holds = GatesHold(judged, &run);
    if (!holds.ok() || !*holds) {
      run.verdict = Verdict::kFailed;
      if (!holds.ok()) run.reason = Message(holds.status());
      return run;
    }
    ASSIGN_OR_RETURN(const std::string indistinct, IndistinctSamples(judged));
    run.verdict = indistinct.empty() ? Verdict::kPassed : Verdict::kNotDiscriminating;
    run.reason = indistinct;
    return run;
  }

  bool IsExempt() const {
    if (reference_.samples.empty()) return false;
    const Sample& sample = reference_.samples[0];
    return sample.inputs.empty() || std::ranges::all_of(sample.outputs, [&](const auto& output) {
             return std::ranges::count(reference_.constant_outputs, output.first) > 0;
           });
  }

  // Whether the tensors of samples i and j can be exchanged.
  bool SameShapes(const std::vector<Judged>& judged, size_t i, size_t j) const {
    const Sample& a = reference_.samples[i];
    const Sample& b = reference_.samples[j];
    for (size_t k = 0; k < a.inputs.size(); ++k) {
      if (a.inputs[k].second.shape() != b.inputs[k].second.shape()) return false;
    }
    // Derived tensors keep other elements in every sample; they do not decide.
    return std::ranges::all_of(judged, [&](const Judged& tensor) {
      return tensor.role == OutputRole::kBeforeActivation || tensor.reference[i].shape() == tensor.reference[j].shape();
    });
  }

  // The swap rule: in each group of samples of equal shape there must be two whose exchange the gates notice. Empty if so, else why not.
  absl::StatusOr<std::string> IndistinctSamples(std::vector<Judged>& judged) const {
    if (IsExempt()) return std::string();
    const size_t count = reference_.samples.size();
    if (count == 0) return std::string("there are no samples");
    std::vector<bool> grouped(count, false);
    for (size_t first = 0; first < count; ++first) {
      if (grouped[first]) continue;
      std::vector<size_t> group;
      for (size_t i = first; i < count; ++i) {
        if (!grouped[i] && SameShapes(judged, first, i)) {
          group.push_back(i);
          grouped[i] = true;
        }
      }
      if (group.size() < 2) return std::string("one sample alone cannot show that the gate tells samples apart");
      bool noticed = false;
      for (size_t k = 0; !noticed && k + 1 < group.size(); ++k) {
        std::vector<Judged> exchanged = judged;
        std::erase_if(exchanged, [&](Judged& tensor) {
          if (tensor.reference[group[k]].shape() != tensor.reference[group[k + 1]].shape()) return true;
          std::swap(tensor.actual[group[k]], tensor.actual[group[k + 1]]);
          return false;
        });
        ASSIGN_OR_RETURN(const bool holds, GatesHold(exchanged, nullptr));
        noticed = !holds;
      }
      if (!noticed)
        return std::string("the gates hold with two samples' outputs exchanged: they cannot tell samples apart");
    }
    return std::string();
  }

  HostProvider& hosts_;
  const JudgeRequest& request_;
  const ReferenceBundle& reference_;
  std::vector<InnerTensor> inner_;
  std::vector<OutputRole> roles_;
  bool one_by_one_ = false;  // some sample was
};

}  // namespace

absl::StatusOr<ParityResult> Judge(HostProvider& hosts, const JudgeRequest& request, const ReferenceBundle& reference) {
  ParityResult result;
  result.samples = static_cast<int>(reference.samples.size());
  Judgement judgement(hosts, request, reference);
  // The gravest verdict of all configurations stands for the cell.
  constexpr Verdict kGravity[] = {Verdict::kPassed, Verdict::kNotRun, Verdict::kNotDiscriminating, Verdict::kFailed};
  const auto gravity = [&](Verdict verdict) { return std::ranges::find(kGravity, verdict) - std::begin(kGravity); };
  result.verdict = Verdict::kPassed;
  for (const std::string& configuration : JudgeConfigurations(request.target, request.precision)) {
    ASSIGN_OR_RETURN(JudgeRun run, judgement.Run(configuration));
    if (gravity(run.verdict) > gravity(result.verdict)) {
      result.verdict = run.verdict;
      result.reason = fmt::format("{} ({}): {}", run.verified_by.name.empty() ? "judge" : run.verified_by.name,
                                  run.verified_by.configuration, run.reason);
    }
    if (!run.outputs.empty()) run.layers = CompareLayers(hosts, request, configuration, reference);
    result.runs.push_back(std::move(run));
  }
  if (result.runs.empty()) {
    result.verdict = Verdict::kNotRun;
    result.reason = fmt::format("there is no judge for {} {}", request.target, request.precision);
  }
  result.thresholds = judgement.thresholds();
  return result;
}

}  // namespace slipway
