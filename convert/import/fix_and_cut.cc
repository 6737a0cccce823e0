// --fix, --cut-inputs, --cut-outputs.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/error.h"
#include "common/base/nearest.h"
#include "convert/import/edits.h"

namespace slipway {
namespace {

// "nearest: 'a', 'b'".
std::string Nearest(std::string_view name, const std::vector<Value*>& values) {
  std::vector<std::string> names;
  for (const Value* value : values) names.push_back(value->name);
  const std::vector<std::string> nearest = NearestNames(name, names);
  return nearest.empty() ? "there are none" : fmt::format("nearest: '{}'", fmt::join(nearest, "', '"));
}

absl::StatusOr<Tensor> Filled(const Value& input, const std::vector<double>& values) {
  const std::optional<std::vector<int64_t>> shape = input.shape ? StaticShape(*input.shape) : std::nullopt;
  if (!shape) {
    return InvalidArgument("--fix {}: its shape is {}; give its sizes with --shape", input.name,
                           input.shape ? ToString(*input.shape) : "not known");
  }
  const int64_t count = ElementCount(*shape);
  constexpr int64_t kMost = int64_t{1} << 28;
  if (count < 0 || count > kMost) return InvalidArgument("--fix {}: {} is too large", input.name, ToString(*shape));
  if (values.size() != 1 && std::cmp_not_equal(values.size(), count)) {
    return InvalidArgument("--fix {}: it has {} elements ({}), {} values are given", input.name, count,
                           ToString(*shape), values.size());
  }
  if (!IsFloat(input.type) && !IsInteger(input.type) && input.type != DataType::kBool)
    return Unimplemented("--fix {}: its type is {}; only numbers can be fixed", input.name, Name(input.type));
  std::vector<double> elements = values;
  if (values.size() == 1) elements.assign(static_cast<size_t>(count), values[0]);
  if (IsFloat(input.type)) return Tensor::From<double>(*shape, elements).Cast(input.type);
  std::vector<int64_t> integers;
  for (const double element : elements) {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    const bool fits = input.type != DataType::kBool || element == 0 || element == 1;
    if (element != std::floor(element) || std::abs(element) > kExact || !fits)
      return InvalidArgument("--fix {}: {} is no {}", input.name, element, Name(input.type));
    integers.push_back(static_cast<int64_t>(element));
  }
  Tensor tensor = Tensor::From<int64_t>(*shape, integers).Cast(input.type);
  if (tensor.ToInt64s() != integers)
    return InvalidArgument("--fix {}: a value is out of the range of {}", input.name, Name(input.type));
  return tensor;
}

// What may be cut at: tensors that are computed or fed.
std::vector<Value*> CutPoints(const Graph& graph) {
  std::vector<Value*> points;
  for (Value* value : graph.values()) {
    if (!value->IsConstant()) points.push_back(value);
  }
  return points;
}

absl::StatusOr<Value*> FindCut(const Graph& graph, const std::string& name, std::string_view flag) {
  Value* value = graph.Find(name);
  if (value == nullptr)
    return InvalidArgument("--{}: the model has no tensor '{}'; {}", flag, name, Nearest(name, CutPoints(graph)));
  return value;
}

absl::Status CutInput(Graph& graph, const std::string& name, const InterfaceOptions& options,
                      const DeclaredTypes& declared) {
  ASSIGN_OR_RETURN(Value * value, FindCut(graph, name, "cut-inputs"));
  DataType type = value->type;
  if (value->producer == nullptr && !value->IsConstant() && type != DataType::kUndefined)
    return absl::OkStatus();  // an input already
  std::optional<Shape> shape = value->shape;
  if (const auto stated = declared.find(name); stated != declared.end()) {
    if (type == DataType::kUndefined) type = stated->second.type;
    if (!shape) shape = stated->second.shape;
  }
  // Behind an op that nobody knows only the user can say.
  if (const auto given = options.shapes.find(name); given != options.shapes.end()) {
    shape = ToShape(given->second);
    if (type == DataType::kUndefined) type = DataType::kFloat32;
  }
  if (!shape || type == DataType::kUndefined) {
    return InvalidArgument("--cut-inputs: the {} of '{}' cannot be told; give its shape with --shape {}=…",
                           shape ? "type" : "rank", name, name);
  }
  graph.Rename(value, name + "/cut");
  Value* input = graph.AddInput(name, type, *std::move(shape));
  input->origin = Origin{.source = name};
  graph.ReplaceUses(value, input);
  return absl::OkStatus();
}

absl::Status CutOutputs(std::unique_ptr<Graph>& graph, const std::vector<std::string>& names) {
  if (names.empty()) return absl::OkStatus();
  const size_t before = graph->outputs().size();
  std::vector<Value*> outputs;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(Value * output, FindCut(*graph, name, "cut-outputs"));
    outputs.push_back(output);
  }
  outputs.resize(std::max(outputs.size(), before), nullptr);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (i < before) {
      graph->ReplaceOutput(i, outputs[i]);
    } else {
      graph->AddOutput(outputs[i]);
    }
  }
  if (names.size() < before) graph = graph->Clone();  // leaves out those that became nothing
  return absl::OkStatus();
}

}  // namespace

absl::Status FixInputs(Graph& graph, const InterfaceOptions& options) {
  for (const auto& [name, values] : options.fix) {
    const auto found =
        std::ranges::find(graph.inputs(), name, [](const Value* input) { return std::string_view(input->name); });
    if (found == graph.inputs().end())
      return InvalidArgument("--fix: the model has no input '{}'; {}", name, Nearest(name, graph.inputs()));
    absl::StatusOr<Tensor> tensor = Filled(**found, values);
    if (!tensor.ok()) return tensor.status();
    graph.MakeConstant(*found, *std::move(tensor));
  }
  return absl::OkStatus();
}

absl::Status CutGraph(std::unique_ptr<Graph>& graph, const InterfaceOptions& options, const DeclaredTypes& declared) {
  if (options.cut_inputs.empty() && options.cut_outputs.empty()) return absl::OkStatus();
  // Outputs first: a tensor that is both is fed, and comes out as it was fed.
  RETURN_IF_ERROR(CutOutputs(graph, options.cut_outputs));
  for (const std::string& name : options.cut_inputs) RETURN_IF_ERROR(CutInput(*graph, name, options, declared));
  graph->RemoveDead();
  const std::vector<Value*> inputs = graph->inputs();
  for (Value* input : inputs) {
    if (!input->uses.empty() || graph->IsOutput(input)) continue;
    if (std::ranges::count(options.cut_inputs, input->name) > 0)
      return InvalidArgument("--cut-inputs: no output depends on '{}'", input->name);
    graph->RemoveInput(input);
  }
  return absl::OkStatus();
}

}  // namespace slipway
