#include "convert/import/zoo/mobile.h"

#include <fmt/format.h>

#include "convert/import/zoo/layers.h"

namespace slipway {
namespace {

struct BlockSpec {
  int stage;  // timm's and EfficientNet's numbering
  int64_t kernel, expanded, out, stride;
  int64_t squeezed = 0;                       // of the squeeze-and-excitation; 0: none
  Activation activation = Activation::kNone;  // kNone: the network's
};

struct MobileSpec {
  int64_t stem;
  std::vector<BlockSpec> blocks;
  int64_t last;    // channels of the last 1×1 convolution
  int64_t hidden;  // of the layer before the classifier; 0: none
  Activation activation, squeeze_activation, gate;
};

// The modules of one block; without expansion `expand` is unused.
struct BlockNames {
  std::string block;
  std::string expand, expand_bn, depthwise, depthwise_bn, reduce, excite, project, project_bn;
};

struct MobileNames {
  std::string stem, stem_bn, last, last_bn;
  BlockNames (*block)(int index, int stage, int in_stage, bool expands, bool squeezes);
  std::string hidden, classifier;
  bool hidden_is_conv = false;  // a 1×1 convolution on the pooled values
};

BlockNames TimmBlock(int, int stage, int in_stage, bool expands, bool) {
  const std::string block = fmt::format("blocks.{}.{}", stage, in_stage);
  const auto name = [&](std::string_view part) { return fmt::format("{}.{}", block, part); };
  BlockNames names{.block = block, .reduce = name("se.conv_reduce"), .excite = name("se.conv_expand")};
  names.depthwise = name("conv_dw");
  names.depthwise_bn = name(expands ? "bn2" : "bn1");
  names.expand = name("conv_pw");
  names.expand_bn = name("bn1");
  names.project = name(expands ? "conv_pwl" : "conv_pw");
  names.project_bn = name(expands ? "bn3" : "bn2");
  return names;
}

// torchvision numbers a block's parts as they follow each other.
BlockNames NumberedBlock(const std::string& block, bool expands, bool squeezes) {
  int part = 0;
  const auto name = [&](std::string_view inner) { return fmt::format("{}.{}.{}", block, part, inner); };
  BlockNames names{.block = block};
  if (expands) {
    names.expand = name("0"), names.expand_bn = name("1");
    ++part;
  }
  names.depthwise = name("0"), names.depthwise_bn = name("1");
  ++part;
  if (squeezes) {
    names.reduce = name("fc1"), names.excite = name("fc2");
    ++part;
  }
  names.project = name("0"), names.project_bn = name("1");
  return names;
}

BlockNames TorchvisionV2Block(int index, int, int, bool expands, bool) {
  BlockNames names = NumberedBlock(fmt::format("features.{}.conv", index + 1), expands, false);
  names.project = fmt::format("{}.{}", names.block, expands ? 2 : 1);
  names.project_bn = fmt::format("{}.{}", names.block, expands ? 3 : 2);
  return names;
}

BlockNames TorchvisionV3Block(int index, int, int, bool expands, bool squeezes) {
  return NumberedBlock(fmt::format("features.{}.block", index + 1), expands, squeezes);
}

BlockNames TorchvisionEfficientnetBlock(int, int stage, int in_stage, bool expands, bool squeezes) {
  return NumberedBlock(fmt::format("features.{}.{}.block", stage + 1, in_stage), expands, squeezes);
}

Value* Block(Builder& build, Value* x, int64_t in, const BlockSpec& spec, const MobileSpec& net,
             const BlockNames& names, float epsilon) {
  const Activation activation = spec.activation == Activation::kNone ? net.activation : spec.activation;
  Value* const shortcut = x;
  if (spec.expanded != in) {
    x = AddConvBnAct(build, x,
                     {.conv = names.expand,
                      .bn = names.expand_bn,
                      .act = names.block + ".expand",
                      .in = in,
                      .out = spec.expanded,
                      .kernel = 1,
                      .activation = activation,
                      .epsilon = epsilon});
  }
  x = AddConvBnAct(build, x,
                   {.conv = names.depthwise,
                    .bn = names.depthwise_bn,
                    .act = names.block + ".depthwise",
                    .in = spec.expanded,
                    .out = spec.expanded,
                    .kernel = spec.kernel,
                    .stride = spec.stride,
                    .groups = spec.expanded,
                    .activation = activation,
                    .epsilon = epsilon});
  if (spec.squeezed > 0) {
    x = AddSqueezeExcite(build, x,
                         {.reduce = names.reduce,
                          .expand = names.excite,
                          .name = names.block + ".se",
                          .channels = spec.expanded,
                          .squeezed = spec.squeezed,
                          .inner = net.squeeze_activation,
                          .gate = net.gate});
  }
  x = AddConvBnAct(build, x,
                   {.conv = names.project,
                    .bn = names.project_bn,
                    .act = {},
                    .in = spec.expanded,
                    .out = spec.out,
                    .kernel = 1,
                    .activation = Activation::kNone,
                    .epsilon = epsilon});
  return spec.stride == 1 && in == spec.out ? build.Add(x, shortcut, names.block + ".add") : x;
}

void Mobile(Builder& build, int64_t size, const MobileSpec& net, const MobileNames& names, float epsilon) {
  Value* x = build.Input("image", {1, 3, size, size});
  x = AddConvBnAct(build, x,
                   {.conv = names.stem,
                    .bn = names.stem_bn,
                    .act = "stem",
                    .in = 3,
                    .out = net.stem,
                    .kernel = 3,
                    .stride = 2,
                    .activation = net.activation,
                    .epsilon = epsilon});
  int64_t channels = net.stem;
  int in_stage = 0;
  for (size_t i = 0; i < net.blocks.size(); ++i) {
    const BlockSpec& spec = net.blocks[i];
    in_stage = i > 0 && net.blocks[i - 1].stage == spec.stage ? in_stage + 1 : 0;
    x = Block(build, x, channels, spec, net,
              names.block(static_cast<int>(i), spec.stage, in_stage, spec.expanded != channels, spec.squeezed > 0),
              epsilon);
    channels = spec.out;
  }
  x = AddConvBnAct(build, x,
                   {.conv = names.last,
                    .bn = names.last_bn,
                    .act = "last",
                    .in = channels,
                    .out = net.last,
                    .kernel = 1,
                    .activation = net.activation,
                    .epsilon = epsilon});
  x = build.GlobalAvgPool(x, "avgpool");
  channels = net.last;
  if (names.hidden_is_conv) {
    x = build.Activate(build.Conv2d(x, names.hidden, channels, net.hidden, 1), "hidden", net.activation);
    x = build.Flatten(x, "flatten");
    channels = net.hidden;
  } else {
    x = build.Flatten(x, "flatten");
    if (net.hidden > 0) {
      x = build.Activate(build.Linear(x, names.hidden, channels, net.hidden), "hidden", net.activation);
      channels = net.hidden;
    }
  }
  build.Output(build.Linear(x, names.classifier, channels, build.classes()), "logits");
}

// Repeats of a stage: the first block has its stride and takes `in` channels, the others 1; all expand by `factor`.
void AddStage(std::vector<BlockSpec>& blocks, int stage, int repeats, int64_t kernel, int64_t stride, int64_t in,
              int64_t factor, int64_t out, int64_t squeeze_divisor = 0) {
  for (int i = 0; i < repeats; ++i) {
    const int64_t from = i == 0 ? in : out;
    blocks.push_back(
        {stage, kernel, from * factor, out, i == 0 ? stride : 1, squeeze_divisor > 0 ? from / squeeze_divisor : 0});
  }
}

MobileSpec MobilenetV2() {
  MobileSpec net{32, {}, 1280, 0, Activation::kRelu6, Activation::kNone, Activation::kNone};
  AddStage(net.blocks, 0, 1, 3, 1, 32, 1, 16);
  AddStage(net.blocks, 1, 2, 3, 2, 16, 6, 24);
  AddStage(net.blocks, 2, 3, 3, 2, 24, 6, 32);
  AddStage(net.blocks, 3, 4, 3, 2, 32, 6, 64);
  AddStage(net.blocks, 4, 3, 3, 1, 64, 6, 96);
  AddStage(net.blocks, 5, 3, 3, 2, 96, 6, 160);
  AddStage(net.blocks, 6, 1, 3, 1, 160, 6, 320);
  return net;
}

MobileSpec EfficientnetB0() {
  MobileSpec net{32, {}, 1280, 0, Activation::kSilu, Activation::kSilu, Activation::kSigmoid};
  AddStage(net.blocks, 0, 1, 3, 1, 32, 1, 16, 4);
  AddStage(net.blocks, 1, 2, 3, 2, 16, 6, 24, 4);
  AddStage(net.blocks, 2, 2, 5, 2, 24, 6, 40, 4);
  AddStage(net.blocks, 3, 3, 3, 2, 40, 6, 80, 4);
  AddStage(net.blocks, 4, 3, 5, 1, 80, 6, 112, 4);
  AddStage(net.blocks, 5, 4, 5, 2, 112, 6, 192, 4);
  AddStage(net.blocks, 6, 1, 3, 1, 192, 6, 320, 4);
  return net;
}

constexpr Activation kRe = Activation::kRelu;

MobileSpec MobilenetV3Small() {
  return {16,
          {{0, 3, 16, 16, 2, 8, kRe},
           {1, 3, 72, 24, 2, 0, kRe},
           {1, 3, 88, 24, 1, 0, kRe},
           {2, 5, 96, 40, 2, 24},
           {2, 5, 240, 40, 1, 64},
           {2, 5, 240, 40, 1, 64},
           {3, 5, 120, 48, 1, 32},
           {3, 5, 144, 48, 1, 40},
           {4, 5, 288, 96, 2, 72},
           {4, 5, 576, 96, 1, 144},
           {4, 5, 576, 96, 1, 144}},
          576,
          1024,
          Activation::kHardSwish,
          kRe,
          Activation::kHardSigmoid};
}

MobileSpec MobilenetV3Large() {
  return {16,
          {{0, 3, 16, 16, 1, 0, kRe},
           {1, 3, 64, 24, 2, 0, kRe},
           {1, 3, 72, 24, 1, 0, kRe},
           {2, 5, 72, 40, 2, 24, kRe},
           {2, 5, 120, 40, 1, 32, kRe},
           {2, 5, 120, 40, 1, 32, kRe},
           {3, 3, 240, 80, 2},
           {3, 3, 200, 80, 1},
           {3, 3, 184, 80, 1},
           {3, 3, 184, 80, 1},
           {4, 3, 480, 112, 1, 120},
           {4, 3, 672, 112, 1, 168},
           {5, 5, 672, 160, 2, 168},
           {5, 5, 960, 160, 1, 240},
           {5, 5, 960, 160, 1, 240}},
          960,
          1280,
          Activation::kHardSwish,
          kRe,
          Activation::kHardSigmoid};
}

MobileNames Torchvision(int last, decltype(MobileNames::block) block, std::string hidden, std::string classifier) {
  return {"features.0.0",
          "features.0.1",
          fmt::format("features.{}.0", last),
          fmt::format("features.{}.1", last),
          block,
          std::move(hidden),
          std::move(classifier)};
}

MobileNames Timm() { return {"conv_stem", "bn1", "conv_head", "bn2", TimmBlock, "", "classifier"}; }

MobileNames TimmV3(int last_stage) {
  const std::string last = fmt::format("blocks.{}.0", last_stage);
  return {"conv_stem", "bn1", last + ".conv", last + ".bn1", TimmBlock, "conv_head", "classifier", true};
}

// torchvision's MobileNetV3 alone deviates from PyTorch's default.
constexpr float kEpsilon = 1e-5f, kTorchvisionV3Epsilon = 1e-3f;

}  // namespace

void BuildMobilenetV2Torchvision(Builder& build, int64_t size) {
  Mobile(build, size, MobilenetV2(), Torchvision(18, TorchvisionV2Block, "", "classifier.1"), kEpsilon);
}
void BuildMobilenetV2Timm(Builder& build, int64_t size) { Mobile(build, size, MobilenetV2(), Timm(), kEpsilon); }
void BuildMobilenetV3SmallTorchvision(Builder& build, int64_t size) {
  Mobile(build, size, MobilenetV3Small(), Torchvision(12, TorchvisionV3Block, "classifier.0", "classifier.3"),
         kTorchvisionV3Epsilon);
}
void BuildMobilenetV3SmallTimm(Builder& build, int64_t size) {
  Mobile(build, size, MobilenetV3Small(), TimmV3(5), kEpsilon);
}
void BuildMobilenetV3LargeTorchvision(Builder& build, int64_t size) {
  Mobile(build, size, MobilenetV3Large(), Torchvision(16, TorchvisionV3Block, "classifier.0", "classifier.3"),
         kTorchvisionV3Epsilon);
}
void BuildMobilenetV3LargeTimm(Builder& build, int64_t size) {
  Mobile(build, size, MobilenetV3Large(), TimmV3(6), kEpsilon);
}
void BuildEfficientnetB0Torchvision(Builder& build, int64_t size) {
  Mobile(build, size, EfficientnetB0(), Torchvision(8, TorchvisionEfficientnetBlock, "", "classifier.1"), kEpsilon);
}
void BuildEfficientnetB0Timm(Builder& build, int64_t size) { Mobile(build, size, EfficientnetB0(), Timm(), kEpsilon); }

}  // namespace slipway
