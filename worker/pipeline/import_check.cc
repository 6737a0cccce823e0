#include "worker/pipeline/import_check.h"

#include <cmath>

#include "common/base/error.h"
#include "convert/import/onnx/cut.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "worker/pipeline/source.h"
#include "worker/pipeline/steps.h"

namespace slipway {
namespace {

absl::Status WrongImport(std::string_view output, std::string_view reason) {
  return DataLoss("the graph as it was read does not compute what the file does, before any edit: output '{}': {}",
                  output, reason);
}

// The source, cut if the graph is, in a folder with its external data.
absl::StatusOr<std::filesystem::path> FileToCompare(const Source& source, const Imported& imported,
                                                    const std::filesystem::path& scratch) {
  ASSIGN_OR_RETURN(std::filesystem::path file, LayOutOnnx(source, scratch / "source"));
  if (!imported.cuts_file) return file;
  std::string name = "cut_" + file.filename().string();
  while (source.external.contains(name)) name.insert(0, "_");
  file.replace_filename(name);
  RETURN_IF_ERROR(WriteCutOnnx(source, *imported.unedited, file));
  return file;
}

// Where both are the same NaN or infinity there is nothing to compare: such elements become 0.
void SetAsideNonFinite(Tensor& expected, Tensor& actual) {
  if (!IsFloat(expected.type()) || expected.shape() != actual.shape()) return;
  std::vector<double> e = expected.ToDoubles(), a = actual.ToDoubles();
  bool any = false;
  for (size_t i = 0; i < e.size(); ++i) {
    if (std::isfinite(e[i]) || !(e[i] == a[i] || (std::isnan(e[i]) && std::isnan(a[i])))) continue;
    e[i] = a[i] = 0;
    any = true;
  }
  if (!any) return;
  expected = Tensor::From<double>(expected.shape(), e);
  actual = Tensor::From<double>(actual.shape(), a);
}

}  // namespace

absl::Status CheckImport(const TaskContext& context, const Source& source, const Imported& imported, uint64_t seed) {
  SampleOptions options;
  options.count = 2;
  options.seed = seed;
  ASSIGN_OR_RETURN(std::vector<Sample> of_file, MakeSamples(*imported.unedited, options));
  ASSIGN_OR_RETURN(const std::filesystem::path file, FileToCompare(source, imported, context.scratch));
  const std::filesystem::path copy = context.scratch / "as_read.onnx";
  RETURN_IF_ERROR(WriteOnnxFile(*imported.unedited, {}, copy).status());
  std::vector<std::string> refused;  // told when the reference is made
  RETURN_IF_ERROR(WithFreshHosts([&] { return RunReference(*context.hosts, file, {}, of_file, &refused); }));
  std::vector<Sample> as_read = of_file;
  RETURN_IF_ERROR(WithFreshHosts([&] { return RunReference(*context.hosts, copy, {}, as_read); }));
  for (size_t output = 0; output < of_file.front().outputs.size(); ++output) {
    const std::string& name = of_file.front().outputs[output].first;
    std::vector<Tensor> expected, actual;
    for (size_t i = 0; i < of_file.size(); ++i) {
      if (output >= as_read[i].outputs.size()) return WrongImport(name, "it did not come out");
      expected.push_back(of_file[i].outputs[output].second);
      actual.push_back(as_read[i].outputs[output].second);
      SetAsideNonFinite(expected.back(), actual.back());
    }
    const OutputRole role = IsFloat(expected.front().type()) ? OutputRole::kRaw : OutputRole::kInteger;
    const absl::StatusOr<Metrics> metrics = Compare(expected, actual);
    if (!metrics.ok()) return WrongImport(name, Message(metrics.status()));
    std::string reason;
    if (!GateFor("onnx", "fp32", role).Holds(*metrics, &reason)) return WrongImport(name, reason);
  }
  return absl::OkStatus();
}

}  // namespace slipway
