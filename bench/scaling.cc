#include "bench/scaling.h"

#include <cmath>

#include "common/base/error.h"
#include "common/base/random.h"
#include "convert/passes/shapes.h"

namespace slipway {
namespace {

constexpr int64_t kChannels = 8;
constexpr int64_t kSize = 16;

class Builder {
 public:
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();

  absl::StatusOr<Value*> Op(OpKind kind, std::vector<Value*> inputs, Attributes attributes = {}) {
    const int64_t number = static_cast<int64_t>(graph->node_count());
    ASSIGN_OR_RETURN(Node* const node,
                     AddInferred(*graph, kind, std::move(inputs), fmt::format("/{}/{}_output", number, Name(kind)),
                                 std::move(attributes)));
    node->name = fmt::format("/{}/{}", number, Name(kind));
    return node->output();
  }

  // Convolution, batch normalisation.
  absl::StatusOr<Value*> Layer(Value* data, int64_t kernel) {
    Attributes attributes;
    attributes.Set("pads", std::vector<int64_t>(4, kernel / 2));
    ASSIGN_OR_RETURN(Value* const conv,
                     Op(OpKind::kConv, {data, Weights("weight", {kChannels, kChannels, kernel, kernel}, -0.2F, 0.2F)},
                        std::move(attributes)));
    return Op(OpKind::kBatchNormalization,
              {conv, Weights("gamma", {kChannels}, 0.5F, 1), Weights("beta", {kChannels}, -0.1F, 0.1F),
               Weights("mean", {kChannels}, -0.1F, 0.1F), Weights("variance", {kChannels}, 0.5F, 1)});
  }

 private:
  Value* Weights(std::string_view name, std::vector<int64_t> shape, float low, float high) {
    std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
    for (float& value : values) value = low + (high - low) * static_cast<float>(random_.Uniform());
    return graph->AddConstant(fmt::format("layers.{}.{}", graph->node_count(), name),
                              Tensor::From(std::move(shape), values));
  }

  Random random_{1};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Graph>> LongGraph(int nodes) {
  Builder builder;
  Value* data = builder.graph->AddInput("image", DataType::kFloat32, Shape{1, kChannels, kSize, kSize});
  const auto room = [&] { return nodes - static_cast<int>(builder.graph->node_count()); };
  // A residual block, and two branches side by side: seven nodes and eight.
  for (int block = 0; room() >= 8; ++block) {
    ASSIGN_OR_RETURN(Value * value, builder.Layer(data, 3));
    ASSIGN_OR_RETURN(value, builder.Op(OpKind::kRelu, {value}));
    ASSIGN_OR_RETURN(value, builder.Layer(value, 1));
    if (block % 4 == 3) {
      ASSIGN_OR_RETURN(Value* const branch, builder.Layer(data, 1));
      ASSIGN_OR_RETURN(data, builder.Op(OpKind::kAdd, {value, branch}));
    } else {
      ASSIGN_OR_RETURN(value, builder.Op(OpKind::kAdd, {value, data}));
      ASSIGN_OR_RETURN(data, builder.Op(OpKind::kRelu, {value}));
    }
  }
  while (room() > 0) {
    ASSIGN_OR_RETURN(data, builder.Op(OpKind::kSigmoid, {data}));
  }
  builder.graph->AddOutput(data);
  return std::move(builder.graph);
}

}  // namespace slipway
