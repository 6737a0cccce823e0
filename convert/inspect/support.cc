#include "convert/inspect/support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/capabilities/capabilities.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/inspect/op_samples.h"
#include "convert/inspect/summary.h"
#include "convert/passes/passes.h"
#include "convert/targets/convert.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using inspect::OpSample;

absl::StatusOr<Imported> ImportBytes(const std::string& model) {
  UniqueFd file(memfd_create("sample", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "make a file in memory");
  if (write(file.get(), model.data(), model.size()) != static_cast<ssize_t>(model.size()))
    return ErrnoStatus(errno, "write a file in memory");
  Source source;
  source.main.path = "sample";
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Map(file.get(), "sample"));
  return Import(source);
}

// Converts into folders of its own, one after the other.
class Trials {
 public:
  static absl::StatusOr<Trials> Make() {
    // A thousand small files: in memory where that can be.
    if (absl::StatusOr<TemporaryFolder> folder = TemporaryFolder::Create("/dev/shm", "slipway-formats-"); folder.ok())
      return Trials(*std::move(folder));
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Create(error ? "/tmp" : parent, "slipway-formats-"));
    return Trials(std::move(folder));
  }

  absl::StatusOr<Emitted> Convert(std::string_view target, const Graph& graph) {
    std::error_code error;
    if (!last_.empty()) fs::remove_all(last_, error);
    last_ = folder_.path() / std::to_string(++count_);
    fs::create_directory(last_, error);
    if (error) return ErrnoStatus(error.value(), "make a folder");
    return ConvertTo(*FindTargetByName(target), graph.Clone(), {.model_name = "model"}, last_);
  }
  const fs::path& last() const { return last_; }

 private:
  explicit Trials(TemporaryFolder folder) : folder_(std::move(folder)) {}

  TemporaryFolder folder_;
  fs::path last_;
  int count_ = 0;
};

// A convolution of an image, its sizes as given.
absl::StatusOr<Imported> Image(std::string_view shape) {
  const std::string inputs = fmt::format("f[{}] F[4,3,3,3]", shape);
  ASSIGN_OR_RETURN(const std::string model, inspect::SampleModel({"Conv", "", inputs, "pads=1,1,1,1"}));
  return ImportBytes(model);
}

// Whether the sizes of these axes stay open.
absl::StatusOr<bool> StaysOpen(Trials& trials, std::string_view target, std::string_view shape,
                               const std::vector<size_t>& axes) {
  ASSIGN_OR_RETURN(const Imported image, Image(shape));
  const absl::StatusOr<Emitted> emitted = trials.Convert(target, *image.model.graph);
  if (!emitted.ok()) {
    if (KindOf(emitted.status()) != ErrorKind::kModel) return emitted.status();
    return false;
  }
  // NCNN has no batch, and what it drops cannot be open.
  const InterfaceTensor& input = emitted->io.inputs.at(0);
  size_t open = 0;
  for (const size_t axis : axes) {
    if (input.dropped_axis == static_cast<int64_t>(axis)) continue;
    const size_t at = axis - (input.dropped_axis >= 0 && static_cast<size_t>(input.dropped_axis) < axis ? 1 : 0);
    if (at < input.shape.size() && input.shape[at] < 0) ++open;
  }
  return open == axes.size();
}

constexpr std::pair<DataType, std::string_view> kTypes[] = {
    {DataType::kFloat32, "f"}, {DataType::kFloat16, "h"}, {DataType::kFloat64, "d"},
    {DataType::kInt8, "c"},    {DataType::kUInt8, "u"},   {DataType::kInt16, "s"},
    {DataType::kInt32, "n"},   {DataType::kInt64, "i"},   {DataType::kBool, "b"}};

absl::Status AskTypes(Trials& trials, FormatSupport& format) {
  for (const auto& [type, letter] : kTypes) {
    const std::string inputs = fmt::format("{}[2,4]", letter);
    ASSIGN_OR_RETURN(const std::string model, inspect::SampleModel({"Transpose", "", inputs}));
    ASSIGN_OR_RETURN(const Imported imported, ImportBytes(model));
    const absl::StatusOr<Emitted> emitted = trials.Convert(format.target, *imported.model.graph);
    std::optional<std::string> as;
    if (emitted.ok()) {
      as = std::string(Name(emitted->io.inputs.at(0).type));
    } else if (KindOf(emitted.status()) != ErrorKind::kModel) {
      return emitted.status();
    }
    format.types.emplace_back(Name(type), as);
  }
  return absl::OkStatus();
}

absl::StatusOr<FormatSupport> AskFormat(const TargetInfo& info) {
  FormatSupport format{
      .target = std::string(info.name), .backend = std::string(info.backend), .judge = std::string(info.judge)};
  for (const std::string_view precision : Precisions()) {
    if (CanExport(info.name, precision)) format.precisions.emplace_back(precision);
  }
  ASSIGN_OR_RETURN(Trials trials, Trials::Make());
  ASSIGN_OR_RETURN(const Imported image, Image("1,3,8,8"));
  ASSIGN_OR_RETURN(const Emitted emitted, trials.Convert(info.name, *image.model.graph));
  for (const std::string& file : emitted.files) {
    const std::string ending = fs::path(*fs::path(file).begin()).extension().string();
    if (std::ranges::find(format.files, ending) == format.files.end()) format.files.push_back(ending);
  }
  format.requires_runtime = emitted.requires_runtime;
  ASSIGN_OR_RETURN(const ModelSummary summary, Inspect(trials.last() / emitted.path));
  // What another model says as well is the format's.
  ASSIGN_OR_RETURN(const std::string other, inspect::SampleModel({"Concat", "", "f[1,4,8] f[1,2,8]", "axis=1"}));
  ASSIGN_OR_RETURN(const Imported joined, ImportBytes(other));
  ASSIGN_OR_RETURN(const Emitted again, trials.Convert(info.name, *joined.model.graph));
  ASSIGN_OR_RETURN(const ModelSummary second, Inspect(trials.last() / again.path));
  for (const auto& fact : summary.facts) {
    if (std::ranges::find(second.facts, fact) != second.facts.end()) format.facts.push_back(fact);
  }
  ASSIGN_OR_RETURN(format.dynamic_batch, StaysOpen(trials, info.name, "N,3,8,8", {0}));
  ASSIGN_OR_RETURN(format.dynamic_image, StaysOpen(trials, info.name, "1,3,H,W", {2, 3}));
  RETURN_IF_ERROR(AskTypes(trials, format));
  return format;
}

absl::StatusOr<OpForm> AskForm(Trials& trials, const OpSample& sample, const Graph& graph) {
  OpForm form{.label = std::string(sample.label)};
  for (const TargetInfo& target : Targets()) {
    const absl::StatusOr<Emitted> emitted = trials.Convert(target.name, graph);
    if (emitted.ok()) continue;
    if (KindOf(emitted.status()) != ErrorKind::kModel) return emitted.status();
    form.refusals[std::string(target.name)] = Message(emitted.status());
  }
  return form;
}

// A group's forms; of a generic group only those that are models at all.
absl::StatusOr<std::vector<OpForm>> AskForms(Trials& trials, const std::vector<OpSample>& samples, bool generic) {
  std::vector<OpForm> forms;
  for (const OpSample& sample : samples) {
    ASSIGN_OR_RETURN(const std::string model, inspect::SampleModel(sample));
    const absl::StatusOr<Imported> imported = ImportBytes(model);
    if (!imported.ok()) {
      if (KindOf(imported.status()) != ErrorKind::kModel) return imported.status();
      if (generic) continue;
      OpForm& form = forms.emplace_back(OpForm{.label = std::string(sample.label)});
      for (const TargetInfo& target : Targets()) form.refusals[std::string(target.name)] = Message(imported.status());
      continue;
    }
    ASSIGN_OR_RETURN(OpForm form, AskForm(trials, sample, *imported->model.graph));
    forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace

absl::StatusOr<std::vector<FormatSupport>> AskFormats() {
  std::vector<FormatSupport> formats;
  for (const TargetInfo& info : Targets()) {
    ASSIGN_OR_RETURN(FormatSupport format, AskFormat(info));
    formats.push_back(std::move(format));
  }
  return formats;
}

absl::StatusOr<std::vector<OpSupport>> AskOperators() {
  ASSIGN_OR_RETURN(Trials trials, Trials::Make());
  std::vector<OpSupport> operators;
  for (const std::string& op : ImportedOnnxOps()) {
    std::vector<std::vector<OpSample>> groups(1);
    for (const OpSample& sample : inspect::OpSamples()) {
      if (sample.op == op) groups[0].push_back(sample);
    }
    const bool generic = groups[0].empty();
    if (generic) groups = inspect::GenericSamples(op);
    OpSupport support{.op = op};
    for (size_t i = 0; i < groups.size() && support.forms.empty(); ++i) {
      ASSIGN_OR_RETURN(support.forms, AskForms(trials, groups[i], generic));
    }
    if (support.forms.empty()) return Internal("{}: no sample of it can be imported", op);
    operators.push_back(std::move(support));
  }
  return operators;
}

}  // namespace slipway
