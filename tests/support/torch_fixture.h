// What with_torch.py wrote, for tests to compare with.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "convert/ir/tensor.h"

namespace slipway::testing {

// The value of an environment variable that the tests need; aborts, saying so, where it is missing.
std::string Needed(const char* variable);

// A folder filled by one run of with_torch.py; it lasts as long as the process.
class TorchOutput {
 public:
  explicit TorchOutput(const std::vector<std::string>& arguments);
  const std::filesystem::path& folder() const { return folder_.path(); }
  const nlohmann::json& index() const { return index_; }
  Tensor Read(const nlohmann::json& entry) const;

 private:
  TemporaryFolder folder_;
  nlohmann::json index_;
};

}  // namespace slipway::testing
