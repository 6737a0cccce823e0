#include "common/base/nearest.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace slipway {
namespace {

constexpr size_t kMostCharacters = 256;

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, substituted}));
    }
  }
  return row.back();
}

std::vector<std::string> NearestNames(std::string_view name, const std::vector<std::string>& names, size_t count) {
  name = name.substr(0, kMostCharacters);
  std::vector<std::tuple<bool, size_t, const std::string*>> ranked;  // those that contain the name first
  for (const std::string& candidate : names) {
    const std::string_view start = std::string_view(candidate).substr(0, kMostCharacters);
    const bool contains = !name.empty() && start.find(name) != std::string_view::npos;
    ranked.emplace_back(!contains, EditDistance(name, start), &candidate);
  }
  const auto before = [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a), *std::get<2>(a)) <
           std::tie(std::get<0>(b), std::get<1>(b), *std::get<2>(b));
  };
  count = std::min(count, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<int64_t>(count), ranked.end(), before);
  std::vector<std::string> nearest;
  for (size_t i = 0; i < count; ++i) nearest.push_back(*std::get<2>(ranked[i]));
  return nearest;
}

}  // namespace slipway
