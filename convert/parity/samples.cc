// Samples by use: what an input is for decides what it is drawn from. Deterministic (common/base/random.h).
#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "common/base/error.h"
#include "common/base/random.h"
#include "convert/parity/parity.h"

namespace slipway {
namespace {

constexpr int64_t kSmallCount = 8;  // integers of unknown use are drawn from [1, 8)

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Default sizes of axes that nothing fixes; two variants, so that a dynamic size is seen to vary. A batch of 2, not of 3: three channels would hide
// that an artifact takes one for the other.
int64_t DefaultSize(const Value& input, size_t axis, const std::string& symbol, int variant) {
  const std::string name = Lower(symbol);
  if (axis == 0 || name == "n" || name.find("batch") != std::string::npos) return variant == 0 ? 1 : 2;
  if (input.rank() >= 4) return (axis + static_cast<size_t>(variant)) % 2 == 0 ? 64 : 96;
  return variant == 0 ? 16 : 24;
}

using Sizes = std::map<std::string, int64_t>;

Sizes WithDefaults(const Graph& graph, Sizes sizes, int variant) {
  for (const Value* input : graph.inputs()) {
    for (size_t axis = 0; input->shape && axis < input->shape->size(); ++axis) {
      std::vector<std::string> symbols;
      (*input->shape)[axis].CollectSymbols(symbols);
      for (const std::string& symbol : symbols) sizes.emplace(symbol, DefaultSize(*input, axis, symbol, variant));
    }
  }
  return sizes;
}

struct InputUse {
  int64_t range = -1;  // indices: [0, range)
  bool is_mask = false;
};

// What became of an input's element x on the way: at most scale * x + shift, both whole.
struct Line {
  int64_t scale = 1, shift = 0;
};

// An element plus, minus or times constants (tables of several features behind one another); nullopt for what no line tells.
std::optional<Line> After(const Node& node, int input, Line line) {
  const Tensor* constant = node.constant(static_cast<size_t>(1 - input));
  if (constant == nullptr || constant->size() == 0 || constant->size() > 1 << 16 || !IsInteger(constant->type()))
    return std::nullopt;
  const std::vector<int64_t> numbers = constant->ToInt64s();
  const auto [least, most] = std::ranges::minmax(numbers);
  constexpr int64_t kFar = int64_t{1} << 31;
  if (least < -kFar || most > kFar || line.scale > kFar) return std::nullopt;
  if (node.kind == OpKind::kAdd) return Line{line.scale, line.shift + most};
  if (node.kind == OpKind::kSub && input == 0) return Line{line.scale, line.shift - least};
  if (node.kind == OpKind::kMul && least > 0) return Line{line.scale * most, line.shift * most};
  return std::nullopt;
}

// Follows a value forward through ops that hand its elements on, to the ops that index by it.
void FollowUses(const Value& value, InputUse& use, std::set<const Value*>& seen, Line line = {}) {
  if (!seen.insert(&value).second) return;
  const auto limit = [&](std::optional<int64_t> rows) {
    if (!rows || *rows <= 0) return;
    const int64_t range = std::clamp<int64_t>((*rows - 1 - line.shift) / line.scale + 1, 1, *rows);
    use.range = use.range < 0 ? range : std::min(use.range, range);
  };
  const auto axis_size = [](const Value* data, int64_t axis) -> std::optional<int64_t> {
    if (data == nullptr || !data->shape) return std::nullopt;
    if (axis < 0) axis += data->rank();
    if (axis < 0 || axis >= data->rank() || !(*data->shape)[static_cast<size_t>(axis)].IsKnown()) return std::nullopt;
    return (*data->shape)[static_cast<size_t>(axis)].value();
  };
  for (const Use& at : value.uses) {
    const Node& node = *at.node;
    switch (node.kind) {
      case OpKind::kGather:
      case OpKind::kGatherElements:
      case OpKind::kScatterElements:
        if (at.input == 1) limit(axis_size(node.input(0), node.attributes.Int("axis", 0)));
        break;
      case OpKind::kGatherND:
      case OpKind::kScatterND:
        for (int64_t axis = 0; at.input == 1 && axis < node.input(0)->rank(); ++axis)
          limit(axis_size(node.input(0), axis));
        break;
      case OpKind::kOneHot:
        if (at.input == 0 && node.constant(1) != nullptr) limit(node.constant(1)->ToInt64s().front());
        break;
      case OpKind::kWhere:
        if (at.input == 0) use.is_mask = true;
        break;
      case OpKind::kIdentity:
      case OpKind::kCast:
      case OpKind::kReshape:
      case OpKind::kFlatten:
      case OpKind::kSqueeze:
      case OpKind::kUnsqueeze:
      case OpKind::kTranspose:
      case OpKind::kSlice:
      case OpKind::kExpand:
      case OpKind::kTile:
      case OpKind::kConcat:
      case OpKind::kSplit:
        if (at.input == 0 || node.kind == OpKind::kConcat) {
          for (const Value* output : node.outputs) {
            if (output != nullptr) FollowUses(*output, use, seen, line);
          }
        }
        break;
      case OpKind::kAdd:
      case OpKind::kSub:
      case OpKind::kMul:
        if (const auto next = After(node, at.input, line); next && node.output() != nullptr)
          FollowUses(*node.output(), use, seen, *next);
        break;
      default:
        break;
    }
  }
}

// A few low-frequency waves and a blob over all axes, with a little noise, in [-1, 1]; brightness and contrast differ from sample to sample.
std::vector<float> SmoothField(const std::vector<int64_t>& shape, Random& random) {
  constexpr int kWaves = 3;
  const size_t rank = shape.size();
  const int64_t count = ElementCount(shape);
  struct Wave {
    double amplitude, phase;
    std::vector<double> frequency;
  };
  std::vector<Wave> waves(kWaves);
  for (Wave& wave : waves) {
    wave.amplitude = 0.2 + 0.4 * random.Uniform();
    wave.phase = 2 * std::numbers::pi * random.Uniform();
    for (const int64_t size : shape)
      wave.frequency.push_back(2 * std::numbers::pi * 2.5 * random.Uniform() /
                               static_cast<double>(std::max<int64_t>(1, size)));
  }
  std::vector<double> centre(rank), width(rank);
  for (size_t i = 0; i < rank; ++i) {
    centre[i] = random.Uniform() * static_cast<double>(shape[i]);
    width[i] = (0.1 + 0.3 * random.Uniform()) * static_cast<double>(shape[i]) + 0.5;
  }
  const double blob = 1.6 * random.Uniform() - 0.8;
  const double contrast = 0.5 + 0.5 * random.Uniform();
  const double brightness = 0.6 * random.Uniform() - 0.3;
  std::vector<float> values(static_cast<size_t>(count));
  std::vector<int64_t> index(rank, 0);
  for (float& value : values) {
    double sum = brightness + 0.05 * random.Normal();
    for (const Wave& wave : waves) {
      double angle = wave.phase;
      for (size_t i = 0; i < rank; ++i) angle += wave.frequency[i] * static_cast<double>(index[i]);
      sum += contrast * wave.amplitude * std::cos(angle);
    }
    double distance = 0;
    for (size_t i = 0; i < rank; ++i) {
      const double offset = (static_cast<double>(index[i]) - centre[i]) / width[i];
      distance += offset * offset;
    }
    if (distance < 16) sum += blob * std::exp(-distance / 2);
    value = static_cast<float>(std::clamp(sum, -1.0, 1.0));
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < shape[i]) break;
      index[i] = 0;
    }
  }
  return values;
}

std::vector<float> Floats(const std::vector<int64_t>& shape, Random& random) {
  if (shape.size() >= 4) return SmoothField(shape, random);
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  if (shape.size() == 3) values = SmoothField(shape, random);
  for (float& value : values) value = 0.5f * value + static_cast<float>(random.Normal()) * 0.5f;
  return values;
}

// 1 up to some length of the last axis, 0 after it.
std::vector<float> Mask(const std::vector<int64_t>& shape, Random& random) {
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)), 1.0f);
  const int64_t row = shape.empty() ? 1 : shape.back();
  for (size_t begin = 0; row > 1 && begin < values.size(); begin += static_cast<size_t>(row)) {
    const auto length = row / 2 + static_cast<int64_t>(random.Uniform() * static_cast<double>(row - row / 2));
    for (int64_t i = length; i < row; ++i) values[begin + static_cast<size_t>(i)] = 0;
  }
  return values;
}

absl::StatusOr<Tensor> DrawInput(const Value& input, const Sizes& sizes, Random random) {
  if (!input.shape) return InvalidArgument("input '{}' has no rank; give its shape with --shape", input.name);
  std::vector<int64_t> shape;
  for (const Dim& dim : *input.shape) {
    const std::optional<int64_t> size = dim.Evaluate(sizes);
    if (!size || *size < 0)
      return InvalidArgument("input '{}': the size {} is not known; give it with --shape", input.name, dim.ToString());
    shape.push_back(*size);
  }
  const int64_t count = ElementCount(shape);
  if (count < 0 || count > (int64_t{1} << 31))
    return InvalidArgument("input '{}' of shape {} is too large", input.name, ToString(shape));
  InputUse use;
  std::set<const Value*> seen;
  FollowUses(input, use, seen);
  use.is_mask |= Lower(input.name).find("mask") != std::string::npos;

  if (input.type == DataType::kBool) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = random.Uniform() < 0.5 ? 0 : 1;
    return Tensor::From<float>(shape, values).Cast(DataType::kBool);
  }
  if (use.range < 0 && use.is_mask) return Tensor::From<float>(shape, Mask(shape, random)).Cast(input.type);
  if (IsFloat(input.type)) return Tensor::From<float>(shape, Floats(shape, random)).Cast(input.type);
  if (!IsInteger(input.type))
    return Unimplemented("input '{}' of type {} cannot be drawn", input.name, Name(input.type));
  std::vector<int64_t> values(static_cast<size_t>(count));
  if (use.range < 0 && shape.size() >= 3 && SizeOf(input.type) == 1) {
    const std::vector<float> field = SmoothField(shape, random);
    const float offset = input.type == DataType::kUInt8 ? 1.0f : 0.0f;
    for (size_t i = 0; i < values.size(); ++i) values[i] = std::lround(127.0f * (field[i] + offset));
  } else {
    const int64_t low = use.range < 0 ? 1 : 0;
    const int64_t high = use.range < 0 ? kSmallCount : use.range;
    for (int64_t& value : values)
      value = low + static_cast<int64_t>(random.Uniform() * static_cast<double>(high - low));
  }
  return Tensor::From<int64_t>(shape, values).Cast(input.type);
}

// Values of [-1, 1] spread over [low, high].
Tensor InRange(const Tensor& tensor, std::pair<double, double> range) {
  std::vector<double> values = tensor.ToDoubles();
  for (double& value : values)
    value = range.first + (std::clamp(value, -1.0, 1.0) + 1) / 2 * (range.second - range.first);
  return Tensor::From<double>(tensor.shape(), values).Cast(tensor.type());
}

}  // namespace

absl::StatusOr<std::vector<Sample>> MakeSamples(const Graph& graph, const SampleOptions& options) {
  std::vector<Sizes> sizes;
  if (options.sizes.size() > 1) {
    for (size_t i = 0; i < options.sizes.size(); ++i)
      sizes.push_back(WithDefaults(graph, options.sizes[i], static_cast<int>(i)));
  } else {
    const Sizes fixed = options.sizes.empty() ? Sizes{} : options.sizes[0];
    sizes = {WithDefaults(graph, fixed, 0), WithDefaults(graph, fixed, 1)};
    if (sizes[0] == sizes[1]) sizes.pop_back();
  }
  // Two samples a size at least: the swap rule exchanges samples of equal shape.
  const int groups = static_cast<int>(sizes.size());
  const int each = graph.inputs().empty() ? 1 : std::max(2, (options.count + groups - 1) / groups);
  std::vector<Sample> samples;
  for (const Sizes& binding : sizes) {
    for (int i = 0; i < each; ++i) {
      Sample sample;
      for (size_t k = 0; k < graph.inputs().size(); ++k) {
        // A stream of its own for every sample and input.
        const uint64_t stream = (samples.size() + 1) * 1000003 + k;
        Random random(options.seed ^ Random(stream).Next());
        const Value& input = *graph.inputs()[k];
        ASSIGN_OR_RETURN(Tensor tensor, DrawInput(input, binding, random));
        if (const auto range = options.ranges.find(input.name); range != options.ranges.end() && IsFloat(input.type))
          tensor = InRange(tensor, range->second);
        sample.inputs.emplace_back(input.name, std::move(tensor));
      }
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

}  // namespace slipway
