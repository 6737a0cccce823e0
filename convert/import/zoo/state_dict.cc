#include "convert/import/zoo/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"

namespace slipway {
namespace {

constexpr size_t kMaxNamed = 4;  // of each list in a message: the queue keeps one short line of it
constexpr std::array<std::string_view, 5> kContainers = {"", "state_dict", "model", "model_state_dict", "model_ema"};

size_t RankOfContainer(std::string_view prefix) {
  const std::string_view container = prefix.substr(0, prefix.find('.'));
  return static_cast<size_t>(std::ranges::find(kContainers, container) - kContainers.begin());
}

std::string Listed(std::string_view what, const std::vector<std::string>& names) {
  const std::span<const std::string> shown(names.data(), std::min(names.size(), kMaxNamed));
  const std::string rest = names.size() > kMaxNamed ? fmt::format(" and {} more", names.size() - kMaxNamed) : "";
  return fmt::format("{} {}: {}{}", names.size(), what, fmt::join(shown, ", "), rest);
}

}  // namespace

std::string FindStateDict(const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint) {
  absl::flat_hash_set<std::string_view> wanted;
  for (const ExpectedWeight& weight : keys) wanted.insert(weight.key);
  struct Candidate {
    size_t hits = 0, first = 0;
  };
  // Every way to split a name into a prefix that ends with '.' and a wanted key.
  absl::flat_hash_map<std::string_view, Candidate> candidates;
  for (size_t i = 0; i < checkpoint.tensors.size(); ++i) {
    const std::string_view name = checkpoint.tensors[i].name;
    for (size_t begin = 0;; ++begin) {
      if (wanted.contains(name.substr(begin))) {
        Candidate& candidate = candidates.try_emplace(name.substr(0, begin), Candidate{0, i}).first->second;
        ++candidate.hits;
      }
      begin = name.find('.', begin);
      if (begin == std::string_view::npos) break;
    }
  }
  std::string_view best;
  std::tuple<int64_t, size_t, size_t> best_order{0, 0, 0};
  for (const auto& [prefix, candidate] : candidates) {
    const std::tuple order{-static_cast<int64_t>(candidate.hits), RankOfContainer(prefix), candidate.first};
    if (order < best_order) std::tie(best, best_order) = std::tuple{prefix, order};
  }
  return std::string(best);
}

size_t CountMatches(const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint) {
  const std::string prefix = FindStateDict(keys, checkpoint);
  absl::flat_hash_set<std::string_view> wanted;
  for (const ExpectedWeight& weight : keys) wanted.insert(weight.key);
  return static_cast<size_t>(std::ranges::count_if(checkpoint.tensors, [&](const NamedTensor& named) {
    return named.name.starts_with(prefix) && wanted.contains(std::string_view(named.name).substr(prefix.size()));
  }));
}

const Tensor* FindWeight(std::string_view key, const std::vector<ExpectedWeight>& keys, const Checkpoint& checkpoint) {
  const std::string name = FindStateDict(keys, checkpoint) + std::string(key);
  const auto found = std::ranges::find(checkpoint.tensors, name, &NamedTensor::name);
  return found == checkpoint.tensors.end() ? nullptr : &found->tensor;
}

absl::StatusOr<std::vector<Tensor>> FitStateDict(std::string_view architecture,
                                                 const std::vector<ExpectedWeight>& expected,
                                                 const Checkpoint& checkpoint) {
  const std::string prefix = FindStateDict(expected, checkpoint);
  absl::flat_hash_map<std::string_view, const Tensor*> found;
  for (const NamedTensor& named : checkpoint.tensors) {
    if (named.name.starts_with(prefix)) found[std::string_view(named.name).substr(prefix.size())] = &named.tensor;
  }
  std::vector<Tensor> tensors;
  std::vector<std::string> missing, unexpected, misfit;
  absl::flat_hash_set<std::string_view> used;
  for (const ExpectedWeight& weight : expected) {
    used.insert(weight.key);
    const auto at = found.find(weight.key);
    if (at == found.end()) {
      missing.push_back(weight.key);
    } else if (at->second->shape() != weight.shape) {
      misfit.push_back(
          fmt::format("{} is {}, not {}", weight.key, ToString(at->second->shape()), ToString(weight.shape)));
    } else if (!IsFloat(at->second->type())) {
      misfit.push_back(fmt::format("{} is of {}", weight.key, Name(at->second->type())));
    } else {
      tensors.push_back(*at->second);
    }
  }
  for (const NamedTensor& named : checkpoint.tensors) {
    if (!named.name.starts_with(prefix)) continue;
    const std::string_view key = std::string_view(named.name).substr(prefix.size());
    if (!used.contains(key) && !key.ends_with("num_batches_tracked")) unexpected.emplace_back(key);
  }
  if (missing.empty() && unexpected.empty() && misfit.empty()) return tensors;
  std::vector<std::string> complaints;
  if (!missing.empty()) complaints.push_back(Listed("missing", missing));
  if (!unexpected.empty()) complaints.push_back(Listed("unexpected", unexpected));
  if (!misfit.empty()) complaints.push_back(Listed("of the wrong shape", misfit));
  return InvalidArgument("the weights do not fit {}: {}", architecture, fmt::join(complaints, "; "));
}

}  // namespace slipway
