#include "convert/import/zoo/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "common/base/error.h"
#include "common/base/random.h"
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

Value* Builder::AddWeight(std::string key, Role role, std::vector<int64_t> shape, std::vector<int64_t> form) {
  if (form.empty()) form = shape;
  Value* value = graph_->AddConstant(key, Tensor());
  weights_.push_back({std::move(key), std::move(shape), std::move(form), value, role, {}});
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
      x, AddWeight(fmt::format("{}.weight", module), Role::kFilter, {out, in / options.groups, kernel, kernel})};
  weights_.back().fed = Of(x);
  if (options.bias) inputs.push_back(AddWeight(fmt::format("{}.bias", module), Role::kBias, {out}));
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
  return Node(OpKind::kPRelu, module,
              {x, AddWeight(fmt::format("{}.weight", module), Role::kSlope, {channels}, std::move(form))});
}

Value* Builder::MaxPool2d(Value* x, std::string_view module, int64_t kernel, int64_t stride, bool ceil_mode,
                          int64_t padding) {
  Attributes attributes;
  attributes.Set("pads", std::vector<int64_t>(4, padding));
  attributes.Set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  attributes.Set("strides", std::vector<int64_t>{stride, stride});
  attributes.Set("ceil_mode", int64_t{ceil_mode});
  Value* y = Node(OpKind::kMaxPool, module, {x}, std::move(attributes));
  moments_[y] = Of(x);
  return y;
}

Value* Builder::BatchNorm2d(Value* x, std::string_view module, int64_t channels, float epsilon) {
  std::vector<Value*> inputs = {x};
  for (const auto& [weight, role] : {std::pair{"weight", Role::kScale},
                                     {"bias", Role::kShift},
                                     {"running_mean", Role::kMean},
                                     {"running_var", Role::kVariance}}) {
    inputs.push_back(AddWeight(fmt::format("{}.{}", module, weight), role, {channels}));
    if (x->producer != nullptr && role == Role::kMean) weights_.back().filter = x->producer->input(1);
  }
  Attributes attributes;
  attributes.Set("epsilon", epsilon);
  return Node(OpKind::kBatchNormalization, module, std::move(inputs), std::move(attributes));
}

Builder::Moments Builder::Of(const Value* value) const {
  const auto found = moments_.find(value);
  return found == moments_.end() ? Moments{} : found->second;
}

Value* Builder::Activate(Value* x, std::string_view module, Activation activation) {
  Value* y = AddActivation(x, module, activation);
  // Of a normal distribution of this power after the activation.
  constexpr Moments kAfterRelu{0.5, 0.34}, kAfterSilu{0.36, 0.31}, kAfterSigmoid{0.29, 0.04};
  const double power = Of(x).power;
  const auto scaled = [&](const Moments& moments) { return Moments{moments.power * power, moments.variance * power}; };
  switch (activation) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
    case Activation::kRelu6:
      moments_[y] = scaled(kAfterRelu);
      break;
    case Activation::kHardSwish:
    case Activation::kSilu:
      moments_[y] = scaled(kAfterSilu);
      break;
    case Activation::kHardSigmoid:
    case Activation::kSigmoid:
      moments_[y] = kAfterSigmoid;
      break;
  }
  return y;
}

Value* Builder::AddActivation(Value* x, std::string_view module, Activation activation) {
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
      return Node(OpKind::kMul, module, {x, Node(OpKind::kSigmoid, fmt::format("{}.sigmoid", module), {x})});
    case Activation::kSigmoid:
      return Node(OpKind::kSigmoid, module, {x});
  }
  return x;
}

Value* Builder::Add(Value* a, Value* b, std::string_view name) {
  // The branch joins softly: a sum of many would grow.
  constexpr double kBranch = 0.5;
  if (a->producer != nullptr && a->producer->kind == OpKind::kBatchNormalization) {
    const auto scale = std::ranges::find(weights_, a->producer->input(1), &Weight::value);
    scale->factor = kBranch;
    moments_[a] = {kBranch * kBranch, kBranch * kBranch};
  }
  const Moments left = Of(a), right = Of(b);
  Value* y = Node(OpKind::kAdd, name, {a, b});
  moments_[y] = {left.power + right.power, left.variance + right.variance};
  return y;
}

Value* Builder::Multiply(Value* a, Value* b, std::string_view name) {
  const Moments left = Of(a), right = Of(b);
  Value* y = Node(OpKind::kMul, name, {a, b});
  moments_[y] = {left.power * right.power, left.variance * right.power};
  return y;
}

Value* Builder::GlobalAvgPool(Value* x, std::string_view module) {
  constexpr double kPooled = 0.35;  // what the means keep of rectified values
  const Moments of = Of(x);
  Value* y = Node(OpKind::kGlobalAveragePool, module, {x});
  moments_[y] = {of.power * kPooled, of.variance * kPooled};
  return y;
}

Value* Builder::Linear(Value* x, std::string_view module, int64_t in, int64_t out) {
  Value* weight = AddWeight(fmt::format("{}.weight", module), Role::kFilter, {out, in});
  weights_.back().fed = Of(x);
  Attributes attributes;
  attributes.Set("transB", int64_t{1});
  return Node(OpKind::kGemm, module, {x, weight, AddWeight(fmt::format("{}.bias", module), Role::kBias, {out})},
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
  Value* y = Node(OpKind::kFlatten, name, {x}, std::move(attributes));
  moments_[y] = Of(x);
  return y;
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
  return Finish(tensors);
}

absl::StatusOr<std::unique_ptr<Graph>> Builder::FitDummy(uint64_t seed) {
  Random random(seed);
  const auto around = [&](double middle, double spread) {  // evenly, with that standard deviation
    return static_cast<float>(middle + spread * std::sqrt(12.0) * (random.Uniform() - 0.5));
  };
  std::vector<Tensor> tensors;
  for (const Weight& weight : weights_) {
    std::vector<float> values(static_cast<size_t>(ElementCount(weight.shape)));
    const size_t fan_in = weight.shape[0] > 0 ? values.size() / static_cast<size_t>(weight.shape[0]) : 0;
    // Filters over many values sum to zero, and the mean that normalisation takes off is what the others make of their
    // input's: what all images have in common must not drown what they differ in.
    const bool centred = fan_in >= 16;
    const double spread = 1 / std::sqrt(static_cast<double>(std::max<size_t>(fan_in, 1)) * weight.fed.variance);
    for (float& value : values) {
      switch (weight.role) {
        case Role::kFilter:
          value = around(0, spread);
          break;
        case Role::kBias:
        case Role::kShift:
        case Role::kMean:
          value = around(0, 0.05);
          break;
        case Role::kScale:
          value = around(weight.factor, 0.1 * weight.factor);
          break;
        case Role::kVariance:
          value = around(1, 0.05);
          break;
        case Role::kSlope:
          value = around(0.25, 0.05);
          break;
      }
    }
    if (weight.role == Role::kFilter && centred) {
      for (size_t begin = 0; begin < values.size(); begin += fan_in) {
        const std::span<float> filter = std::span(values).subspan(begin, fan_in);
        const double mean = std::accumulate(filter.begin(), filter.end(), 0.0) / static_cast<double>(fan_in);
        for (float& value : filter) value = static_cast<float>(value - mean);
      }
    }
    if (weight.filter != nullptr) {
      const size_t filter =
          static_cast<size_t>(std::ranges::find(weights_, weight.filter, &Weight::value) - weights_.begin());
      const std::vector<float> taps = tensors.at(filter).ToFloats();
      const Moments& fed = weights_[filter].fed;
      const double mean = std::sqrt(std::max(0.0, fed.power - fed.variance));
      const size_t each = taps.size() / values.size();
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] +=
            static_cast<float>(mean * std::accumulate(taps.begin() + static_cast<ptrdiff_t>(i * each),
                                                      taps.begin() + static_cast<ptrdiff_t>((i + 1) * each), 0.0));
      }
    }
    tensors.push_back(Tensor::From(weight.shape, values));
  }
  return Finish(tensors);
}

absl::StatusOr<std::unique_ptr<Graph>> Builder::Finish(const std::vector<Tensor>& tensors) {
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
