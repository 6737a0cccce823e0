#include "convert/compare/align.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/base/error.h"
#include "convert/parity/interface.h"
#include "convert/parity/parity.h"

namespace slipway::compare {
namespace {

struct Way {
  std::vector<int64_t> permutation;
  int64_t dropped_axis = -1;
};

// In the order in which they are tried.
const std::vector<Way>& Ways() {
  static const auto* const ways = new std::vector<Way>{{{}, -1},
                                                       {{}, 0},
                                                       {{0, 2, 3, 1}, -1},
                                                       {{0, 3, 1, 2}, -1},
                                                       {{0, 2, 3, 1}, 0},
                                                       {{0, 3, 1, 2}, 0},
                                                       {{0, 2, 1}, -1},
                                                       {{0, 2, 1}, 0},
                                                       {{0, 2, 3, 4, 1}, -1},
                                                       {{0, 4, 1, 2, 3}, -1},
                                                       {{0, 2, 3, 4, 1}, 0}};
  return *ways;
}

// squeeze(transpose(shape, permutation), dropped axis); nullopt where that cannot be.
std::optional<std::vector<int64_t>> Apply(const Way& way, const std::vector<int64_t>& shape) {
  if (!way.permutation.empty() && way.permutation.size() != shape.size()) return std::nullopt;
  std::vector<int64_t> result;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t axis = way.permutation.empty() ? i : static_cast<size_t>(way.permutation[i]);
    if (axis >= shape.size()) return std::nullopt;
    if (static_cast<int64_t>(axis) == way.dropped_axis) {
      if (shape[axis] > 1) return std::nullopt;
      continue;
    }
    result.push_back(shape[axis]);
  }
  if (way.dropped_axis >= static_cast<int64_t>(shape.size())) return std::nullopt;
  return result;
}

bool Fits(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  if (a.empty() && b == std::vector<int64_t>{1}) return true;  // a scalar that the format cannot say
  return std::ranges::equal(a, b, [](int64_t x, int64_t y) { return x < 0 || y < 0 || x == y; });
}

std::string Names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

}  // namespace

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : ", ") + (size < 0 ? "?" : std::to_string(size));
  return "[" + text + "]";
}

absl::StatusOr<std::vector<size_t>> MatchTensors(const std::vector<CommonTensor>& common,
                                                 const std::vector<InterfaceTensor>& variant, std::string_view what) {
  const auto by = [&](auto key, auto own) -> std::optional<std::vector<size_t>> {
    std::vector<size_t> order;
    std::set<size_t> used;
    for (const InterfaceTensor& tensor : variant) {
      const auto found = std::ranges::find(common, key(tensor), own);
      const auto index = static_cast<size_t>(found - common.begin());
      if (found == common.end() || !used.insert(index).second) return std::nullopt;
      order.push_back(index);
    }
    return order;
  };
  if (common.size() == variant.size()) {
    const auto source = [](const InterfaceTensor& tensor) { return tensor.source; };
    const auto name = [](const InterfaceTensor& tensor) { return tensor.name; };
    if (auto order = by(source, &CommonTensor::source)) return *order;
    if (auto order = by(name, &CommonTensor::name)) return *order;
    if (auto order = by(source, &CommonTensor::name)) return *order;
    if (auto order = by(name, &CommonTensor::source)) return *order;
    std::vector<size_t> order(common.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    return order;
  }
  std::vector<std::string> mine, theirs;
  for (const CommonTensor& tensor : common) mine.push_back(tensor.name);
  for (const InterfaceTensor& tensor : variant) theirs.push_back(tensor.name);
  return InvalidArgument("the interfaces do not fit: the baseline has {} {} ({}), this one {} ({})", common.size(),
                         what, Names(mine), theirs.size(), Names(theirs));
}

std::optional<InterfaceTensor> FitTensor(const CommonTensor& common, InterfaceTensor variant) {
  std::vector<Way> ways = {{variant.permutation, variant.dropped_axis}};
  ways.insert(ways.end(), Ways().begin(), Ways().end());
  for (const Way& way : ways) {
    const std::optional<std::vector<int64_t>> shape = Apply(way, common.shape);
    if (!shape || !Fits(*shape, variant.shape)) continue;
    variant.source = common.name;
    variant.permutation = way.permutation;
    variant.dropped_axis = way.dropped_axis;
    return variant;
  }
  return std::nullopt;
}

std::optional<ArtifactValue> FitLayer(const Tensor& reference, const std::string& source, const std::string& name,
                                      const Tensor& tensor) {
  std::optional<ArtifactValue> best;
  double least = 0;
  for (const Way& way : Ways()) {
    ArtifactValue value{name, {source, way.permutation, {}, 1}, way.dropped_axis};
    // Origin's permutation is that of the value with its dropped axis put back.
    const absl::StatusOr<Tensor> in_source = ToSource(tensor, value);
    if (!in_source.ok() || in_source->shape() != reference.shape()) continue;
    const absl::StatusOr<Metrics> metrics = Compare({reference}, {*in_source});
    if (!metrics.ok()) continue;
    const double error = metrics->finite ? metrics->rmse : HUGE_VAL;
    if (best && error >= least) continue;
    best = value;
    least = error;
  }
  return best;
}

}  // namespace slipway::compare
