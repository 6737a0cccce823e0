#include "tests/onnx/harness.h"

#include <sys/wait.h>

#include <cmath>
#include <cstdlib>

#include "common/base/error.h"

namespace slipway::testing {
namespace {

std::string Python() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  return python != nullptr ? python : "SLIPWAY_PYTHON-is-not-set";
}

}  // namespace

absl::Status RunPython(const std::string& script, const std::vector<std::string>& arguments) {
  std::string command = fmt::format("'{}' '{}/tests/{}'", Python(), SLIPWAY_SOURCE_DIR, script);
  for (const std::string& argument : arguments) command += fmt::format(" '{}'", argument);
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return Internal("cannot run {}", command);
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return Internal("{}: {}", script, output.size() > 2000 ? output.substr(output.size() - 2000) : output);
}

absl::StatusOr<Source> SourceOf(const onnx::ModelProto& model, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "model.onnx";
  RETURN_IF_ERROR(WriteFileAtomically(path, model.SerializeAsString()));
  Source source;
  source.main.path = "model.onnx";
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  return source;
}

absl::StatusOr<NamedTensors> RunOnnx(const std::filesystem::path& file, const NamedTensors& inputs,
                                     const std::vector<std::string>& outputs) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, LoadReference(Hosts(), file));
  return session->Run(inputs, outputs);
}

absl::Status ExpectClose(const Tensor& actual, const Tensor& expected, double rtol, double atol) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape()) {
    return Internal("{} {} instead of {} {}", Name(actual.type()), ToString(actual.shape()), Name(expected.type()),
                    ToString(expected.shape()));
  }
  const std::vector<double> a = actual.ToDoubles();
  const std::vector<double> b = expected.ToDoubles();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i] || std::abs(a[i] - b[i]) <= atol + rtol * std::abs(b[i])) continue;
    return Internal("element {} is {} instead of {}", i, a[i], b[i]);
  }
  return absl::OkStatus();
}

}  // namespace slipway::testing
