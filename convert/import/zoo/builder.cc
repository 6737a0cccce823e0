#include "convert/import/zoo/builder.h"

#include <fmt/format.h>

#include "common/base/error.h"
#include "convert/import/zoo/state_dict.h"
#include "convert/passes/passes.h"

namespace slipway {

Builder::Builder(std::string_view architecture, int64_t classes)
    : architecture_(architecture), classes_(classes), graph_(std::make_unique<Graph>()) {
  graph_->name = architecture_;
}

Value* Builder::Input(std::string_view name, Shape shape) {
  return graph_->AddInput(std::string(name), DataType::kFloat32, std::move(shape));
}

Value* Builder::AddWeight(std::string key, std::vector<int64_t> shape, std::vector<int64_t> form) {
  if (form.empty()) form = shape;
  Value* value = graph_->AddConstant(key, Tensor());
  weights_.push_back({std::move(key), std::move(shape), std::move(form), value});
  return value;
}

Value* Builder::Node(OpKind kind, std::string_view module, std::vector<Value*> inputs, Attributes attributes) {
  slipway::Node* node = graph_->AddNode(kind, std::move(inputs), {std::string(module)}, std::move(attributes));
  node->name = module;
  return node->output();
}

Value* Builder::Conv2d(Value* x, std::string_view module, int64_t in, int64_t out, int64_t kernel,
                       const ConvOptions& options) {
  std::vector<Value*> inputs = {
      x, AddWeight(fmt::format("{}.weight", module), {out, in / options.groups, kernel, kernel})};
  if (options.bias) inputs.push_back(AddWeight(fmt::format("{}.bias", module), {out}));
  Attributes attributes;
  attributes.Set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  attributes.Set("strides", std::vector<int64_t>{options.stride, options.stride});
  attributes.Set("pads", std::vector<int64_t>(4, options.padding));
  attributes.Set("dilations", std::vector<int64_t>{options.dilation, options.dilation});
  attributes.Set("group", options.groups);
  return Node(OpKind::kConv, module, std::move(inputs), std::move(attributes));
}

Value* Builder::PRelu(Value* x, std::string_view module, int64_t channels, int64_t rank) {
  std::vector<int64_t> form = {channels};
  form.resize(static_cast<size_t>(rank - 1), 1);
  return Node(OpKind::kPRelu, module, {x, AddWeight(fmt::format("{}.weight", module), {channels}, std::move(form))});
}

Value* Builder::MaxPool2d(Value* x, std::string_view module, int64_t kernel, int64_t stride, bool ceil_mode,
                          int64_t padding) {
  Attributes attributes;
  attributes.Set("pads", std::vector<int64_t>(4, padding));
  attributes.Set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  attributes.Set("strides", std::vector<int64_t>{stride, stride});
  attributes.Set("ceil_mode", int64_t{ceil_mode});
  return Node(OpKind::kMaxPool, module, {x}, std::move(attributes));
}

Value* Builder::BatchNorm2d(Value* x, std::string_view module, int64_t channels, float epsilon) {
  std::vector<Value*> inputs = {x};
  for (const char* weight : {"weight", "bias", "running_mean", "running_var"})
    inputs.push_back(AddWeight(fmt::format("{}.{}", module, weight), {channels}));
  Attributes attributes;
  attributes.Set("epsilon", epsilon);
  return Node(OpKind::kBatchNormalization, module, std::move(inputs), std::move(attributes));
}

Value* Builder::Activate(Value* x, std::string_view module, Activation activation) {
  Attributes attributes;
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return Node(OpKind::kRelu, module, {x});
    case Activation::kRelu6:
      return Node(OpKind::kClip, module,
                  {x, graph_->AddConstant(fmt::format("{}.min", module), Tensor::Scalar(0)),
                   graph_->AddConstant(fmt::format("{}.max", module), Tensor::Scalar(6))});
    case Activation::kHardSwish:
      return Node(OpKind::kHardSwish, module, {x});
    case Activation::kHardSigmoid:
      attributes.Set("alpha", 1.0f / 6);
      attributes.Set("beta", 0.5f);
      return Node(OpKind::kHardSigmoid, module, {x}, std::move(attributes));
    case Activation::kSilu:
      return Multiply(x, Node(OpKind::kSigmoid, fmt::format("{}.sigmoid", module), {x}), module);
    case Activation::kSigmoid:
      return Node(OpKind::kSigmoid, module, {x});
  }
  return x;
}

Value* Builder::Add(Value* a, Value* b, std::string_view name) { return Node(OpKind::kAdd, name, {a, b}); }

Value* Builder::Multiply(Value* a, Value* b, std::string_view name) { return Node(OpKind::kMul, name, {a, b}); }

Value* Builder::GlobalAvgPool(Value* x, std::string_view module) {
  return Node(OpKind::kGlobalAveragePool, module, {x});
}

Value* Builder::Linear(Value* x, std::string_view module, int64_t in, int64_t out) {
  Attributes attributes;
  attributes.Set("transB", int64_t{1});
  return Node(
      OpKind::kGemm, module,
      {x, AddWeight(fmt::format("{}.weight", module), {out, in}), AddWeight(fmt::format("{}.bias", module), {out})},
      std::move(attributes));
}

Value* Builder::Softmax(Value* x, std::string_view module, int64_t axis) {
  Attributes attributes;
  attributes.Set("axis", axis);
  return Node(OpKind::kSoftmax, module, {x}, std::move(attributes));
}

Value* Builder::Permute(Value* x, std::string_view name, std::vector<int64_t> order) {
  Attributes attributes;
  attributes.Set("perm", std::move(order));
  return Node(OpKind::kTranspose, name, {x}, std::move(attributes));
}

Value* Builder::Flatten(Value* x, std::string_view name) {
  Attributes attributes;
  attributes.Set("axis", int64_t{1});
  return Node(OpKind::kFlatten, name, {x}, std::move(attributes));
}

void Builder::Output(Value* value, std::string_view name) {
  graph_->Rename(value, std::string(name));
  graph_->AddOutput(value);
}

std::vector<ExpectedWeight> Builder::Expected() const {
  std::vector<ExpectedWeight> expected;
  for (const Weight& weight : weights_) expected.push_back({weight.key, weight.shape});
  return expected;
}

double Builder::Match(const Checkpoint& checkpoint) const {
  return weights_.empty()
             ? 0
             : static_cast<double>(CountMatches(Expected(), checkpoint)) / static_cast<double>(weights_.size());
}

absl::StatusOr<std::unique_ptr<Graph>> Builder::Fit(const Checkpoint& checkpoint) {
  ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, FitStateDict(architecture_, Expected(), checkpoint));
  for (size_t i = 0; i < weights_.size(); ++i) {
    Value* value = weights_[i].value;
    value->constant = tensors[i].Cast(DataType::kFloat32).Reshaped(weights_[i].form);
    value->type = DataType::kFloat32;
    value->shape = ToShape(weights_[i].form);
  }
  for (Value* value : graph_->values()) value->origin.source = value->name;
  RETURN_IF_ERROR(graph_->Validate());
  RETURN_IF_ERROR(MakeInferShapes()->Run(*graph_).status());
  return std::move(graph_);
}

}  // namespace slipway
