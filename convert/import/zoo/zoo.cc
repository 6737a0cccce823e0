#include "convert/import/zoo/zoo.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "common/base/nearest.h"
#include "convert/import/zoo/builder.h"
#include "convert/import/zoo/lite.h"
#include "convert/import/zoo/mobile.h"
#include "convert/import/zoo/mtcnn.h"
#include "convert/import/zoo/resnet.h"

namespace slipway {
namespace {

// The names that a library gives an architecture's weights.
struct Layout {
  void (*build)(Builder&, int64_t size) = nullptr;
  std::string_view classifier = {};  // the key of the last layer's weight
  std::string_view also_fits = {};   // another architecture of the same keys and shapes, and what it expects
};

struct Entry {
  Architecture architecture;
  std::array<Layout, 2> layouts;
};

template <void (*kBuild)(Builder&)>
void Unsized(Builder& build, int64_t) {
  kBuild(build);
}

constexpr int64_t kSmallestInput = 32, kLargestInput = 4096, kMostClasses = 1'000'000;
constexpr std::string_view kBoth = "torchvision 0.14.1 and timm 0.9.16";

// Sorted by name.
constexpr std::array kZoo = {
    Entry{
        {"efficientnet_b0", kBoth, 224, 1000},
        {Layout{BuildEfficientnetB0Torchvision, "classifier.1.weight"},
         Layout{BuildEfficientnetB0Timm, "classifier.weight",
                "timm's tf_efficientnet_b0, which pads otherwise and normalises with an epsilon of 0.001; its weights "
                "expect ImageNet's mean and std, those marked 'ap' mean 0.5 and std 0.5"}}},
    Entry{{"lite", "its definition written in PyTorch", 320, 10}, {Layout{BuildLite, "head.weight"}}},
    Entry{{"mobilenet_v2", kBoth, 224, 1000},
          {Layout{BuildMobilenetV2Torchvision, "classifier.1.weight"},
           Layout{BuildMobilenetV2Timm, "classifier.weight"}}},
    Entry{{"mobilenet_v3_large", kBoth, 224, 1000, {}, "timm's miil weights expect mean 0,0,0 and std 1,1,1"},
          {Layout{BuildMobilenetV3LargeTorchvision, "classifier.3.weight"},
           Layout{BuildMobilenetV3LargeTimm, "classifier.weight",
                  "timm's tf_mobilenetv3_large_100, which pads otherwise and normalises with an epsilon of 0.001; its "
                  "weights expect mean 0.5 and std 0.5"}}},
    Entry{{"mobilenet_v3_small", kBoth, 224, 1000},
          {Layout{BuildMobilenetV3SmallTorchvision, "classifier.3.weight"},
           Layout{BuildMobilenetV3SmallTimm, "classifier.weight",
                  "timm's tf_mobilenetv3_small_100, which pads otherwise and normalises with an epsilon of 0.001; its "
                  "weights expect mean 0.5 and std 0.5"}}},
    Entry{{"mtcnn-onet", "facenet-pytorch 2.6.0"}, {Layout{Unsized<BuildMtcnnOnet>}}},
    Entry{{"mtcnn-pnet", "facenet-pytorch 2.6.0"}, {Layout{Unsized<BuildMtcnnPnet>}}},
    Entry{{"mtcnn-rnet", "facenet-pytorch 2.6.0"}, {Layout{Unsized<BuildMtcnnRnet>}}},
    Entry{{"resnet18", kBoth, 224, 1000},
          {Layout{BuildResnet18, "fc.weight",
                  "timm's resnetblur18, which blurs where it strides; its weights expect ImageNet's mean and std"}}},
    Entry{{"resnet34", kBoth, 224, 1000}, {Layout{BuildResnet34, "fc.weight"}}},
    Entry{{"resnet50", kBoth, 224, 1000},
          {Layout{BuildResnet50, "fc.weight",
                  "timm's resnetblur50, which blurs where it strides; its weights expect ImageNet's mean and std"}}},
};
static_assert(std::ranges::is_sorted(kZoo, {}, [](const Entry& entry) { return entry.architecture.name; }));

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

// The entry of that name, once the options fit it.
absl::StatusOr<const Entry*> FindEntry(std::string_view name, const ArchitectureOptions& options) {
  const auto entry = std::ranges::find(kZoo, name, [](const Entry& candidate) { return candidate.architecture.name; });
  if (entry == kZoo.end()) {
    return Usage(InvalidArgument("there is no architecture '{}'; nearest: {}", name,
                                 fmt::join(NearestArchitectures(name), ", ")));
  }
  RETURN_IF_ERROR(CheckOptions(entry->architecture, options));
  return &*entry;
}

}  // namespace

const std::vector<Architecture>& Architectures() {
  static const std::vector<Architecture> all = [] {
    std::vector<Architecture> architectures;
    for (const Entry& entry : kZoo) architectures.push_back(entry.architecture);
    return architectures;
  }();
  return all;
}

const Architecture* FindArchitecture(std::string_view name) {
  const auto found = std::ranges::find(Architectures(), name, &Architecture::name);
  return found == Architectures().end() ? nullptr : &*found;
}

std::vector<std::string> NearestArchitectures(std::string_view name, size_t count) {
  std::vector<std::string> names;
  for (const Architecture& architecture : Architectures()) names.emplace_back(architecture.name);
  return NearestNames(name, names, count);
}

absl::Status CheckOptions(const Architecture& architecture, const ArchitectureOptions& options) {
  if (architecture.classes == 0 && (options.classes || options.input_size)) {
    return Usage(InvalidArgument("{} is no classifier: it has neither a number of classes nor one input size",
                                 architecture.name));
  }
  if (options.input_size && (*options.input_size < kSmallestInput || *options.input_size > kLargestInput)) {
    return Usage(InvalidArgument("an input size of {}; {} takes {} to {}", *options.input_size, architecture.name,
                                 kSmallestInput, kLargestInput));
  }
  if (options.classes && (*options.classes < 1 || *options.classes > kMostClasses))
    return Usage(InvalidArgument("{} classes; {} takes 1 to {}", *options.classes, architecture.name, kMostClasses));
  return absl::OkStatus();
}

absl::StatusOr<BuiltArchitecture> BuildArchitecture(std::string_view name, const Checkpoint& weights,
                                                    const ArchitectureOptions& options) {
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name, options));
  const Architecture& architecture = entry->architecture;
  const int64_t size = options.input_size.value_or(architecture.input_size);
  const Layout* best = nullptr;
  double best_match = -1;
  int64_t classes = architecture.classes;
  for (const Layout& layout : entry->layouts) {
    if (layout.build == nullptr) continue;
    Builder builder(name, architecture.classes);
    layout.build(builder, size);
    const double match = builder.Match(weights);
    if (match <= best_match) continue;
    best = &layout;
    best_match = match;
    const Tensor* last = layout.classifier.empty() ? nullptr : builder.Find(layout.classifier, weights);
    classes = last != nullptr && last->rank() == 2 && last->shape()[0] > 0 ? last->shape()[0] : architecture.classes;
  }
  if (options.classes && *options.classes != classes)
    return Usage(InvalidArgument("the weights have {} classes, not {}", classes, *options.classes));
  Builder builder(name, classes);
  best->build(builder, size);
  BuiltArchitecture built;
  ASSIGN_OR_RETURN(built.graph, builder.Fit(weights));
  if (!best->also_fits.empty()) {
    built.warnings.push_back(
        fmt::format("these weights are taken for {} as named, but would also fit {}", name, best->also_fits));
  }
  return built;
}

absl::StatusOr<std::unique_ptr<Graph>> BuildDummyArchitecture(std::string_view name, uint64_t seed,
                                                              const ArchitectureOptions& options) {
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name, options));
  const Architecture& architecture = entry->architecture;
  Builder builder(name, options.classes.value_or(architecture.classes));
  entry->layouts.front().build(builder, options.input_size.value_or(architecture.input_size));
  return builder.FitDummy(seed);
}

absl::StatusOr<std::unique_ptr<Graph>> BuildArchitecture(std::string_view name, const Checkpoint& weights) {
  ASSIGN_OR_RETURN(BuiltArchitecture built, BuildArchitecture(name, weights, {}));
  return std::move(built.graph);
}

}  // namespace slipway
