#include "convert/compare/baseline.h"

#include <algorithm>

#include "common/base/error.h"
#include "convert/import/import.h"
#include "convert/inspect/local_source.h"
#include "convert/parity/interface.h"
#include "convert/parity/layers.h"

namespace slipway::compare {
namespace {

constexpr size_t kInnerBytes = 32 << 20;

std::string JudgeText(const JudgeIdentity& judge) {
  return fmt::format("{} {} ({})", judge.name, judge.version, judge.configuration);
}

std::string SourceOf(const std::vector<InterfaceTensor>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &InterfaceTensor::name);
  return found == tensors.end() || found->source.empty() ? name : found->source;
}

// The source's shape of an artifact's tensor: what ToArtifact undoes.
std::vector<int64_t> SourceShape(const InterfaceTensor& tensor) {
  std::vector<int64_t> shape = tensor.shape;
  if (tensor.dropped_axis >= 0) {
    const auto at = tensor.permutation.empty()
                        ? tensor.dropped_axis
                        : std::ranges::find(tensor.permutation, tensor.dropped_axis) - tensor.permutation.begin();
    shape.insert(shape.begin() + std::min<int64_t>(at, static_cast<int64_t>(shape.size())), 1);
  }
  if (tensor.permutation.size() != shape.size()) return shape;
  std::vector<int64_t> source(shape.size(), -1);
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t axis = tensor.permutation[i];
    if (axis >= 0 && axis < static_cast<int64_t>(shape.size())) source[static_cast<size_t>(axis)] = shape[i];
  }
  return source;
}

// Enough to draw samples for: inputs without nodes.
std::unique_ptr<Graph> InputsAlone(const std::vector<CommonTensor>& inputs) {
  auto graph = std::make_unique<Graph>();
  for (const CommonTensor& input : inputs) {
    Shape shape;
    for (size_t axis = 0; axis < input.shape.size(); ++axis)
      shape.push_back(input.shape[axis] >= 0 ? Dim(input.shape[axis])
                                             : Dim::Symbol(fmt::format("{} axis {}", input.name, axis)));
    graph->AddInput(input.name, input.type, std::move(shape));
  }
  return graph;
}

}  // namespace

absl::StatusOr<Baseline> Baseline::Open(const Side& side) {
  Baseline baseline(side);
  if (side.target == "onnx") {
    ASSIGN_OR_RETURN(const Source source, LocalOnnxSource(side.path));
    // What cannot be imported can still be run.
    if (absl::StatusOr<Imported> imported = Import(source); imported.ok()) {
      baseline.graph_ = std::move(imported->model.graph);
      baseline.imported_ = true;
      for (const Value* input : baseline.graph_->inputs()) {
        CommonTensor tensor{.name = input->name, .source = SourceOf(side.io.inputs, input->name), .type = input->type};
        if (!input->shape)
          return InvalidArgument("{}: the rank of input '{}' is not said", side.path.string(), input->name);
        for (const Dim& dim : *input->shape) tensor.shape.push_back(dim.IsKnown() ? dim.value() : -1);
        baseline.inputs_.push_back(std::move(tensor));
      }
      return baseline;
    }
  }
  for (InterfaceTensor& input : baseline.side_.io.inputs) {
    if (!side.ranked.at(input.name))
      return InvalidArgument(
          "{}: the shape of input '{}' is not said in the file, nor by a manifest; make the other model the baseline",
          side.path.string(), input.name);
    // A blob has no batch.
    if (side.target == "ncnn" && !side.described) input.dropped_axis = 0;
    if (input.type == DataType::kUndefined)
      return InvalidArgument("{}: input '{}' is of a type that cannot be fed", side.path.string(), input.name);
    // ONNX is run as it stands.
    const bool as_it_is = side.target == "onnx";
    baseline.inputs_.push_back({input.name, input.source, input.type, as_it_is ? input.shape : SourceShape(input)});
  }
  baseline.graph_ = InputsAlone(baseline.inputs_);
  return baseline;
}

absl::Status Baseline::Fix(size_t input, const std::vector<int64_t>& sizes) {
  CommonTensor& tensor = inputs_[input];
  const auto refuse = [&] {
    return InvalidArgument("input '{}' of the baseline is {}: it cannot be {}", tensor.name, ShapeText(tensor.shape),
                           ShapeText(sizes));
  };
  if (sizes.size() != tensor.shape.size()) return refuse();
  const Shape& shape = *graph_->inputs()[input]->shape;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] < 0) continue;
    if (tensor.shape[axis] >= 0) {
      if (tensor.shape[axis] != sizes[axis]) return refuse();
      continue;
    }
    std::vector<std::string> symbols;
    shape[axis].CollectSymbols(symbols);
    if (symbols.size() != 1 || !(shape[axis] == Dim::Symbol(symbols[0]))) return refuse();
    if (const auto [bound, fresh] = sizes_.emplace(symbols[0], sizes[axis]); !fresh && bound->second != sizes[axis])
      return refuse();
  }
  // One symbol may stand in several inputs.
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Shape& open = *graph_->inputs()[i]->shape;
    for (size_t axis = 0; axis < open.size(); ++axis) {
      if (inputs_[i].shape[axis] < 0) inputs_[i].shape[axis] = open[axis].Evaluate(sizes_).value_or(-1);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ReferenceBundle> Baseline::Run(HostProvider& hosts, const CompareOptions& options) {
  ReferenceBundle bundle;
  bundle.reference = side_.path.string();
  bundle.generator = fmt::format("drawn by use, seed {}", options.seed);
  ASSIGN_OR_RETURN(bundle.samples,
                   MakeSamples(*graph_, {.count = options.samples, .seed = options.seed, .sizes = {sizes_}}));
  if (imported_) {
    bundle.final_activations = FindFinalActivations(*graph_);
    bundle.constant_outputs = FindConstantOutputs(*graph_);
  }
  if (side_.target != "onnx") {
    RETURN_IF_ERROR(RunArtifact(hosts, bundle.samples));
    return bundle;
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, LoadReference(hosts, side_.path));
  judge_ = JudgeText(session->identity());
  RETURN_IF_ERROR(RunReference(hosts, side_.path, bundle.final_activations, bundle.samples));
  for (auto& [name, tensor] : bundle.samples[0].inner) {
    if (const auto layer = side_.layers.find(name); layer != side_.layers.end()) name = layer->second;
  }
  return bundle;
}

absl::Status Baseline::RunArtifact(HostProvider& hosts, std::vector<Sample>& samples) {
  const std::vector<std::string> configurations = JudgeConfigurations(side_.target, side_.precision);
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                   LoadArtifact(hosts, side_.target, configurations.front(), side_.path));
  judge_ = JudgeText(session->identity());
  std::vector<std::string> want;
  for (const InterfaceTensor& output : side_.io.outputs) want.push_back(output.name);
  for (Sample& sample : samples) {
    NamedTensors inputs;
    for (size_t i = 0; i < side_.io.inputs.size(); ++i) {
      ASSIGN_OR_RETURN(Tensor tensor, ToArtifact(sample.inputs[i].second, side_.io.inputs[i]));
      inputs.emplace_back(side_.io.inputs[i].name, std::move(tensor));
    }
    ASSIGN_OR_RETURN(const NamedTensors tensors, session->Run(inputs, want));
    if (tensors.size() != want.size()) return InvalidArgument("{}: not every output came out", side_.path.string());
    for (size_t i = 0; i < want.size(); ++i) {
      InterfaceTensor output = side_.io.outputs[i];
      if (!side_.described) {
        output.type = tensors[i].second.type();
        output.shape = tensors[i].second.shape();
        if (side_.target == "ncnn") output.dropped_axis = 0;
      }
      ASSIGN_OR_RETURN(Tensor tensor, ToSource(tensors[i].second, output, output.type));
      sample.outputs.emplace_back(output.name, std::move(tensor));
    }
  }
  for (auto configuration = configurations.rbegin(); configuration != configurations.rend(); ++configuration) {
    FetchInner(hosts, *configuration, samples[0]);
    if (!samples[0].inner.empty()) break;
  }
  return absl::OkStatus();
}

// As the artifact has them: FitLayer finds how the other side's stand to them.
void Baseline::FetchInner(HostProvider& hosts, const std::string& configuration, Sample& sample) {
  const auto session = LoadArtifact(hosts, side_.target, configuration, side_.path, side_.layer_order);
  if (!session.ok() || !(*session)->CanFetch()) return;
  NamedTensors inputs;
  for (size_t i = 0; i < side_.io.inputs.size(); ++i) {
    absl::StatusOr<Tensor> tensor = ToArtifact(sample.inputs[i].second, side_.io.inputs[i]);
    if (!tensor.ok()) return;
    inputs.emplace_back(side_.io.inputs[i].name, *std::move(tensor));
  }
  std::map<std::string, Tensor> fetched = FetchTensors(**session, inputs, side_.layer_order);
  size_t bytes = 0;
  for (const std::string& name : side_.layer_order) {
    const auto tensor = fetched.find(name);
    if (tensor == fetched.end() || !IsFloat(tensor->second.type()) || tensor->second.size() == 0) continue;
    bytes += tensor->second.bytes().size();
    if (bytes > kInnerBytes) return;
    // A blob has no batch; other formats' tensors do.
    std::vector<int64_t> shape = tensor->second.shape();
    if (side_.target == "ncnn") shape.insert(shape.begin(), 1);
    sample.inner.emplace_back(side_.layers.at(name), tensor->second.Reshaped(shape));
  }
}

std::vector<CommonTensor> Baseline::outputs(const ReferenceBundle& bundle) const {
  std::vector<CommonTensor> outputs;
  for (const auto& [name, tensor] : bundle.samples[0].outputs)
    outputs.push_back({name, SourceOf(side_.io.outputs, name), tensor.type(), tensor.shape()});
  return outputs;
}

}  // namespace slipway::compare
