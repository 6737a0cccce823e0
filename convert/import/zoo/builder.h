// Layers of PyTorch as graph nodes: what architectures are written with.
//
// Weights are asked for by their state-dict key and shape and stay open until Fit() puts a checkpoint's tensors in. A
// layer's node, and its output value, carry the module's name ("conv1"); weights carry their keys ("conv1.weight").
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/zoo/state_dict.h"
#include "convert/ir/graph.h"

namespace slipway {

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

enum class Activation { kNone, kRelu, kRelu6, kHardSwish, kHardSigmoid, kSilu, kSigmoid };

class Builder {
 public:
  // `classes`: of the classifier, for architectures that have one.
  explicit Builder(std::string_view architecture, int64_t classes = 1000);
  int64_t classes() const { return classes_; }

  Value* Input(std::string_view name, Shape shape);
  Value* Conv2d(Value* x, std::string_view module, int64_t in, int64_t out, int64_t kernel,
                const ConvOptions& options = {});
  Value* PRelu(Value* x, std::string_view module, int64_t channels, int64_t rank);  // rank of x
  Value* BatchNorm2d(Value* x, std::string_view module, int64_t channels, float epsilon = 1e-5f);
  Value* Activate(Value* x, std::string_view module, Activation activation);
  Value* Add(Value* a, Value* b, std::string_view name);
  Value* Multiply(Value* a, Value* b, std::string_view name);
  Value* MaxPool2d(Value* x, std::string_view module, int64_t kernel, int64_t stride, bool ceil_mode,
                   int64_t padding = 0);
  Value* GlobalAvgPool(Value* x, std::string_view module);  // [N, C, 1, 1]
  Value* Linear(Value* x, std::string_view module, int64_t in, int64_t out);
  Value* Softmax(Value* x, std::string_view module, int64_t axis);
  Value* Permute(Value* x, std::string_view name, std::vector<int64_t> order);
  Value* Flatten(Value* x, std::string_view name);  // all axes but the first
  void Output(Value* value, std::string_view name);

  // As Fit, with weights made up from a seed: the same on every machine. Each layer's are scaled by its kind and by what
  // it is fed, so that signals neither die nor grow on their way.
  absl::StatusOr<std::unique_ptr<Graph>> FitDummy(uint64_t seed);

  // The tensors of the checkpoint that have this architecture's keys, as a share of those keys: 0 to 1.
  double Match(const Checkpoint& checkpoint) const;

  // The checkpoint's tensor for one of this architecture's keys; nullptr if it has none.
  const Tensor* Find(std::string_view key, const Checkpoint& checkpoint) const {
    return FindWeight(key, Expected(), checkpoint);
  }

  // Finds the state dict in the checkpoint (whatever it is nested under and prefixed with), puts its tensors in as
  // float32, infers shapes and returns the graph. INVALID_ARGUMENT naming every key that is missing, unexpected or of
  // the wrong shape.
  absl::StatusOr<std::unique_ptr<Graph>> Fit(const Checkpoint& checkpoint);

 private:
  enum class Role { kFilter, kBias, kScale, kShift, kMean, kVariance, kSlope };
  // What is expected of a value's elements, of unit-variance images: for dummy weights.
  struct Moments {
    double power = 1, variance = 1;  // mean square; mean square about the mean
  };
  struct Weight {
    std::string key;
    std::vector<int64_t> shape;  // in the state dict
    std::vector<int64_t> form;   // in the graph: the same elements
    Value* value;
    Role role;
    Moments fed;                    // of a filter: its input's
    double factor = 1;              // of a scale
    const Value* filter = nullptr;  // of a mean: whose results it is the mean of
  };
  Value* AddWeight(std::string key, Role role, std::vector<int64_t> shape, std::vector<int64_t> form = {});
  Value* AddActivation(Value* x, std::string_view module, Activation activation);
  Moments Of(const Value* value) const;
  absl::StatusOr<std::unique_ptr<Graph>> Finish(const std::vector<Tensor>& tensors);
  Value* Node(OpKind kind, std::string_view module, std::vector<Value*> inputs, Attributes attributes = {});

  std::vector<ExpectedWeight> Expected() const;

  std::string architecture_;
  int64_t classes_;
  std::unique_ptr<Graph> graph_;
  std::vector<Weight> weights_;
  absl::flat_hash_map<const Value*, Moments> moments_;
};

}  // namespace slipway
