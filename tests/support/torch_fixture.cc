#include "tests/support/torch_fixture.h"

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>

namespace slipway::testing {
namespace {

[[noreturn]] void Fail(const std::string& why) {
  std::cerr << why << std::endl;
  std::abort();
}

TemporaryFolder NewFolder() {
  auto folder = TemporaryFolder::Create("/tmp", "slipway-torch-");
  if (!folder.ok()) Fail(folder.status().ToString());
  return *std::move(folder);
}

}  // namespace

std::string Needed(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') Fail(fmt::format("{} is not set: run tests/run.sh", variable));
  return value;
}

TorchOutput::TorchOutput(const std::vector<std::string>& arguments) : folder_(NewFolder()) {
  std::vector<std::string> all = arguments;
  all.push_back(folder_.path().string());
  Run("with_torch.py", "SLIPWAY_TORCH_PYTHON", all);
}

TorchOutput::TorchOutput(const std::string& script, const char* python, const std::vector<std::string>& arguments)
    : folder_(NewFolder()) {
  std::vector<std::string> all = {folder_.path().string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Run(script, python, all);
}

void TorchOutput::Run(const std::string& script, const char* python, const std::vector<std::string>& arguments) {
  std::string command = fmt::format("'{}' '{}/tests/support/{}'", Needed(python), SLIPWAY_SOURCE_DIR, script);
  for (const std::string& argument : arguments) command += fmt::format(" '{}'", argument);
  if (std::system(command.c_str()) != 0) Fail(fmt::format("failed: {}", command));
  const auto text = ReadFile(folder_.path() / "index.json");
  if (!text.ok()) Fail(text.status().ToString());
  index_ = nlohmann::json::parse(*text);
}

Tensor TorchOutput::Read(const nlohmann::json& entry) const {
  auto file = MappedFile::Open(folder_.path() / entry.at("file").get<std::string>());
  if (!file.ok()) Fail(file.status().ToString());
  const auto bytes = (*file)->bytes();
  return Tensor(DataTypeFromName(entry.at("dtype").get<std::string>()), entry.at("shape").get<std::vector<int64_t>>(),
                bytes, *std::move(file));
}

}  // namespace slipway::testing
