// Names near to one that is not there: for messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

// Levenshtein's: insertions, deletions and substitutions.
size_t EditDistance(std::string_view a, std::string_view b);

// Up to `count` of `names` nearest to `name`, best first: those that contain it, then by edit distance, then by name. Of long names the first 256 characters count.
std::vector<std::string> NearestNames(std::string_view name, const std::vector<std::string>& names, size_t count = 3);

}  // namespace slipway
