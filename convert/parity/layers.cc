#include "convert/parity/layers.h"

#include <algorithm>
#include <map>

#include "convert/parity/interface.h"

namespace slipway {
namespace {

constexpr size_t kTensorsAtOnce = 32;

}  // namespace

std::map<std::string, Tensor> FetchTensors(Session& session, const NamedTensors& inputs,
                                           const std::vector<std::string>& names) {
  std::map<std::string, Tensor> fetched;
  const auto run = [&](const std::vector<std::string>& want) {
    auto tensors = session.Run(inputs, want);
    if (!tensors.ok()) return tensors.status();
    for (auto& [name, tensor] : *tensors) fetched.insert_or_assign(name, std::move(tensor));
    return absl::OkStatus();
  };
  for (size_t begin = 0; begin < names.size(); begin += kTensorsAtOnce) {
    const auto first = names.begin() + static_cast<int64_t>(begin);
    const std::vector<std::string> group(first,
                                         first + static_cast<int64_t>(std::min(kTensorsAtOnce, names.size() - begin)));
    const absl::Status status = run(group);
    if (status.ok()) continue;
    if (!absl::IsInvalidArgument(status)) return fetched;
    for (const std::string& name : group) {
      const absl::Status single = run({name});
      if (!single.ok() && !absl::IsInvalidArgument(single)) return fetched;
    }
  }
  return fetched;
}

std::vector<LayerFigures> CompareLayers(HostProvider& hosts, const JudgeRequest& request,
                                        const std::string& configuration, const ReferenceBundle& reference) {
  std::vector<LayerFigures> layers;
  if (reference.samples.empty()) return layers;
  const Sample& sample = reference.samples[0];
  const auto source_tensor = [&](const std::string& name) -> const Tensor* {
    const auto found = std::ranges::find(sample.inner, name, [](const auto& entry) { return entry.first; });
    return found == sample.inner.end() ? nullptr : &found->second;
  };
  std::vector<const ArtifactValue*> values;
  std::vector<std::string> names;
  for (const ArtifactValue& value : request.emitted.values) {
    const bool is_output = std::ranges::count(request.emitted.io.outputs, value.name, &InterfaceTensor::name) > 0;
    if (is_output || source_tensor(value.origin.source) == nullptr) continue;
    if (std::ranges::count(value.origin.channel_scale, 0.0f) > 0 || std::ranges::count(names, value.name) > 0) continue;
    values.push_back(&value);
    names.push_back(value.name);
  }
  if (values.empty()) return layers;
  const auto session = LoadArtifact(hosts, request.target, configuration, request.folder / request.emitted.path, names);
  if (!session.ok() || !(*session)->CanFetch()) return layers;
  NamedTensors inputs;
  for (const InterfaceTensor& input : request.emitted.io.inputs) {
    const auto found = std::ranges::find(sample.inputs, input.source, [](const auto& entry) { return entry.first; });
    if (found == sample.inputs.end()) return layers;
    auto tensor = ToArtifact(found->second, input);
    if (!tensor.ok()) return layers;
    inputs.emplace_back(input.name, *std::move(tensor));
  }
  const std::map<std::string, Tensor> fetched = FetchTensors(**session, inputs, names);
  for (const ArtifactValue* value : values) {
    const auto tensor = fetched.find(value->name);
    if (tensor == fetched.end()) continue;
    const auto in_source = ToSource(tensor->second, *value);
    if (!in_source.ok()) continue;
    const auto metrics = Compare({*source_tensor(value->origin.source)}, {*in_source});
    if (metrics.ok()) layers.push_back({value->name, value->origin.source, *metrics});
  }
  return layers;
}

}  // namespace slipway
