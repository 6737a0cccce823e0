#include "convert/import/zoo/zoo.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "common/base/error.h"
#include "convert/import/zoo/builder.h"
#include "convert/import/zoo/mtcnn.h"

namespace slipway {
namespace {

struct Entry {
  Architecture architecture;
  void (*build)(Builder&);
};

// Sorted by name.
constexpr std::array kZoo = {
    Entry{{"mtcnn-onet", "facenet-pytorch 2.6.0"}, BuildMtcnnOnet},
    Entry{{"mtcnn-pnet", "facenet-pytorch 2.6.0"}, BuildMtcnnPnet},
    Entry{{"mtcnn-rnet", "facenet-pytorch 2.6.0"}, BuildMtcnnRnet},
};
static_assert(std::ranges::is_sorted(kZoo, {}, [](const Entry& entry) { return entry.architecture.name; }));

// Levenshtein's: insertions, deletions and substitutions.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substituted});
    }
  }
  return row.back();
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
  name = name.substr(0, 256);
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const Architecture& architecture : Architectures())
    ranked.emplace_back(EditDistance(name, architecture.name), architecture.name);
  std::ranges::sort(ranked);
  std::vector<std::string> nearest;
  for (const auto& [distance, candidate] : ranked) {
    if (nearest.size() < count) nearest.push_back(candidate);
  }
  return nearest;
}

absl::StatusOr<std::unique_ptr<Graph>> BuildArchitecture(std::string_view name, const Checkpoint& weights) {
  const auto entry = std::ranges::find(kZoo, name, [](const Entry& candidate) { return candidate.architecture.name; });
  if (entry == kZoo.end()) {
    return WithKind(InvalidArgument("there is no architecture '{}'; nearest: {}", name,
                                    fmt::join(NearestArchitectures(name), ", ")),
                    ErrorKind::kUsage);
  }
  Builder builder(name);
  entry->build(builder);
  return builder.Fit(weights);
}

}  // namespace slipway
