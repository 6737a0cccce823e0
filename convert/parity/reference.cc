// What the source makes of the samples, and which of its outputs are probabilities or constants.
#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "convert/parity/parity.h"
#include "convert/runtimes/onnx_outputs.h"

namespace slipway {
namespace {

// Ops that hand on their first input's elements, at most in another order, shape or type.
bool HandsOn(OpKind kind) {
  switch (kind) {
    case OpKind::kIdentity:
    case OpKind::kCast:
    case OpKind::kReshape:
    case OpKind::kFlatten:
    case OpKind::kSqueeze:
    case OpKind::kUnsqueeze:
    case OpKind::kTranspose:
      return true;
    default:
      return false;
  }
}

const Tensor* Find(const NamedTensors& tensors, std::string_view name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

constexpr size_t kInnerBytes = 32 << 20;
constexpr size_t kTensorsAtOnce = 64;
// Of larger inputs the inner tensors together may not fit in memory: a small super-resolution net at 720p has gigabytes.
constexpr int64_t kInnerInputElements = int64_t{1} << 18;

// The source's inner tensors on one sample, in order, until they are too many. What cannot be fetched is left out: they explain
// figures and decide nothing.
NamedTensors InnerTensors(HostProvider& hosts, const std::filesystem::path& onnx_file, const Sample& sample) {
  NamedTensors inner;
  int64_t elements = 0;
  for (const auto& [name, tensor] : sample.inputs) elements += tensor.size();
  if (elements > kInnerInputElements) return inner;
  const auto model = MappedFile::Open(onnx_file);
  if (!model.ok()) return inner;
  const auto names = OnnxInnerNames((*model)->bytes());
  if (!names.ok() || names->empty()) return inner;
  const auto copy = CopyWithOutputs(onnx_file, *names, hosts.scratch());
  if (!copy.ok()) return inner;
  const auto session = LoadReference(hosts, copy->model);
  if (!session.ok()) return inner;
  size_t bytes = 0;
  for (size_t begin = 0; begin < names->size(); begin += kTensorsAtOnce) {
    const size_t end = std::min(names->size(), begin + kTensorsAtOnce);
    auto tensors = (*session)->Run(sample.inputs, std::vector<std::string>(names->begin() + static_cast<int64_t>(begin),
                                                                           names->begin() + static_cast<int64_t>(end)));
    if (!tensors.ok()) return inner;
    for (auto& [name, tensor] : *tensors) {
      if (!IsFloat(tensor.type()) || tensor.size() == 0) continue;
      bytes += tensor.bytes().size();
      if (bytes > kInnerBytes) return inner;
      inner.emplace_back(name, std::move(tensor));
    }
  }
  return inner;
}

// "x [2, 3, 64, 64], y [2]": for messages.
std::string SizesOf(const Sample& sample) {
  std::string text;
  for (const auto& [name, tensor] : sample.inputs)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, ToString(tensor.shape()));
  return text;
}

}  // namespace

std::vector<FinalActivation> FindFinalActivations(const Graph& graph) {
  std::vector<FinalActivation> activations;
  for (const Value* output : graph.outputs()) {
    if (!IsFloat(output->type)) continue;
    const Value* value = output;
    while (value->producer != nullptr && HandsOn(value->producer->kind) && value->producer->input(0) != nullptr) {
      value = value->producer->input(0);
    }
    const Node* node = value->producer;
    if (node == nullptr || (node->kind != OpKind::kSoftmax && node->kind != OpKind::kSigmoid)) continue;
    const Value* before = node->input(0);
    activations.push_back({output->name, before->origin.known() ? before->origin.source : std::string(), node->kind});
  }
  return activations;
}

std::vector<std::string> FindConstantOutputs(const Graph& graph) {
  std::set<const Value*> reached(graph.inputs().begin(), graph.inputs().end());
  for (const auto& node : graph.nodes()) {
    // Ops with subgraphs may read outer values without listing them: taken as reached.
    bool depends = node->kind == OpKind::kIf || node->kind == OpKind::kLoop || node->kind == OpKind::kScan;
    for (const Value* input : node->inputs) depends |= reached.contains(input);
    for (const Value* output : node->outputs) {
      if (depends && output != nullptr) reached.insert(output);
    }
  }
  std::vector<std::string> constants;
  for (const Value* output : graph.outputs()) {
    if (!reached.contains(output)) constants.push_back(output->origin.known() ? output->origin.source : output->name);
  }
  return constants;
}

absl::Status RunReference(HostProvider& hosts, const std::filesystem::path& onnx_file,
                          const std::vector<FinalActivation>& activations, std::vector<Sample>& samples,
                          std::vector<std::string>* refused) {
  ASSIGN_OR_RETURN(auto model, MappedFile::Open(onnx_file));
  ASSIGN_OR_RETURN(const std::vector<std::string> outputs, OnnxOutputNames(model->bytes()));
  std::vector<std::string> before;
  for (const FinalActivation& activation : activations) {
    // A graph input need not be computed.
    const bool given = !samples.empty() && Find(samples[0].inputs, activation.before) != nullptr;
    if (!activation.before.empty() && !given && std::ranges::count(before, activation.before) == 0)
      before.push_back(activation.before);
  }
  std::unique_ptr<Session> session;
  std::vector<std::string> want = outputs;
  if (!before.empty()) {
    ASSIGN_OR_RETURN(const OnnxCopy copy, CopyWithOutputs(onnx_file, before, hosts.scratch()));
    absl::StatusOr<std::unique_ptr<Session>> loaded = LoadReference(hosts, copy.model);
    if (loaded.ok()) {
      session = *std::move(loaded);
      want.insert(want.end(), before.begin(), before.end());
    } else if (!absl::IsInvalidArgument(loaded.status())) {
      return loaded.status();
    }
  }
  if (session == nullptr) {
    ASSIGN_OR_RETURN(session, LoadReference(hosts, onnx_file));
  }
  std::vector<Sample> ran;
  std::vector<std::string> reasons;
  for (const Sample& given_sample : samples) {
    Sample sample = given_sample;
    absl::StatusOr<NamedTensors> run = session->Run(sample.inputs, want);
    if (!run.ok()) {
      const bool is_last = ran.empty() && &given_sample == &samples.back();
      if (refused == nullptr || is_last || !absl::IsInvalidArgument(run.status())) return run.status();
      std::string reason = fmt::format("{}: {}", SizesOf(sample), Message(run.status()));
      if (std::ranges::count(reasons, reason) == 0) reasons.push_back(std::move(reason));
      continue;
    }
    NamedTensors tensors = *std::move(run);
    sample.before_activation.clear();
    for (const FinalActivation& activation : activations) {
      const Tensor* given = Find(sample.inputs, activation.before);
      const Tensor* tensor = given != nullptr ? given : Find(tensors, activation.before);
      if (tensor != nullptr && Find(sample.before_activation, activation.before) == nullptr) {
        sample.before_activation.emplace_back(activation.before, *tensor);
      }
    }
    tensors.resize(outputs.size());
    sample.outputs = std::move(tensors);
    ran.push_back(std::move(sample));
  }
  samples = std::move(ran);
  if (refused != nullptr) refused->insert(refused->end(), reasons.begin(), reasons.end());
  if (!samples.empty()) samples[0].inner = InnerTensors(hosts, onnx_file, samples[0]);
  return absl::OkStatus();
}

}  // namespace slipway
