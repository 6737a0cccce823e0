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

// A folder filled by one run of with_torch.py (or another script beside it, which takes the folder first); it lasts as
// long as the process.
class TorchOutput {
 public:
  explicit TorchOutput(const std::vector<std::string>& arguments);
  // `python`: the variable that names the interpreter.
  TorchOutput(const std::string& script, const char* python, const std::vector<std::string>& arguments);
  const std::filesystem::path& folder() const { return folder_.path(); }
  const nlohmann::json& index() const { return index_; }
  Tensor Read(const nlohmann::json& entry) const;

 private:
  void Run(const std::string& script, const char* python, const std::vector<std::string>& arguments);

  TemporaryFolder folder_;
  nlohmann::json index_;
};

}  // namespace slipway::testing
