#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "convert/import/edits.h"
#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "worker/pipeline/entry.h"
#include "worker/pipeline/import_check.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/source.h"
#include "worker/pipeline/steps.h"

namespace slipway {
namespace {

// The file that the calculator runs: the source itself, or the graph as it was built.
absl::StatusOr<std::filesystem::path> ReferenceFile(const Source& source, const Imported& imported,
                                                    const std::filesystem::path& scratch) {
  if (imported.as_written == nullptr) return LayOutOnnx(source, scratch / "source");
  const std::filesystem::path file = scratch / "reference.onnx";
  RETURN_IF_ERROR(WriteOnnxFile(*imported.as_written, {}, file).status());
  return file;
}

// What a normalised image holds before it is normalised.
std::map<std::string, std::pair<double, double>> RangesOf(const Graph& graph, const InterfaceOptions& options) {
  if (!options.Normalizes()) return {};
  const absl::StatusOr<Value*> image = ImageInput(graph);
  if (!image.ok()) return {};
  if (options.scale) return {{(*image)->name, {0, 1 / *options.scale}}};
  const bool bytes = std::ranges::any_of(options.mean, [](double mean) { return mean > 1; });
  if (bytes) return {{(*image)->name, {0, 255}}};
  return {};
}

// Samples and what the source makes of them. `refused`: RunReference.
absl::StatusOr<ReferenceBundle> MakeReference(const TaskInputs& inputs, const TaskContext& context,
                                              const Source& source, const Imported& imported,
                                              std::vector<std::string>& refused) {
  const Graph& graph = imported.as_written != nullptr ? *imported.as_written : *imported.model.graph;
  ReferenceBundle bundle;
  bundle.reference = imported.reference;
  bundle.generator = fmt::format("drawn by use, seed {}", inputs.options.seed);
  SampleOptions options;
  options.count = inputs.options.samples;
  options.seed = inputs.options.seed;
  options.ranges = RangesOf(graph, inputs.options.interface);
  ASSIGN_OR_RETURN(bundle.samples, MakeSamples(graph, options));
  bundle.final_activations = FindFinalActivations(graph);
  bundle.constant_outputs = FindConstantOutputs(*imported.model.graph);
  ASSIGN_OR_RETURN(const std::filesystem::path file, ReferenceFile(source, imported, context.scratch));
  RETURN_IF_ERROR(WithFreshHosts(
      [&] { return RunReference(*context.hosts, file, bundle.final_activations, bundle.samples, &refused); }));
  return bundle;
}

}  // namespace

absl::StatusOr<TaskOutput> RunPrepare(const TaskInputs& inputs, const TaskContext& context) {
  TaskOutput output;
  context.progress("importing");
  absl::StatusOr<Source> source = SourceOf(inputs);
  absl::StatusOr<Imported> imported = source.ok() ? Import(*source) : absl::StatusOr<Imported>(source.status());
  if (!imported.ok()) {
    if (KindOf(imported.status()) == ErrorKind::kMachine) return imported.status();
    output.state = "failed";
    output.reason = Message(imported.status());
    output.entry = FailedEntry(inputs.model, inputs.task, output.reason);
    return output;
  }
  const Graph& graph = imported->as_written != nullptr ? *imported->as_written : *imported->model.graph;
  nlohmann::json entry = ModelEntry(inputs.model, &graph, imported->model.source_opset);
  if (imported->labelled_output)
    entry["io_schema"]["outputs"][*imported->labelled_output]["labels"] = inputs.options.interface.labels;
  output.state = "passed";
  if (inputs.options.verify) {
    context.progress("running the reference");
    std::vector<std::string> refused;
    const absl::Status read = imported->unedited == nullptr
                                  ? absl::OkStatus()
                                  : CheckImport(context, *source, *imported, inputs.options.seed);
    if (absl::IsDataLoss(read)) {
      output.state = "failed";
      output.reason = Message(read);
      output.entry = FailedEntry(inputs.model, inputs.task, output.reason);
      return output;
    }
    absl::StatusOr<ReferenceBundle> bundle =
        read.ok() ? MakeReference(inputs, context, *source, *imported, refused) : absl::StatusOr<ReferenceBundle>(read);
    for (const std::string& size : refused)
      imported->warnings.push_back(fmt::format(
          "the source itself does not run at a size that its shapes allow, so nothing is proved there: {}", size));
    if (bundle.ok()) {
      entry["reference"] = bundle->reference;
      output.reference = "reference.bundle";
      RETURN_IF_ERROR(bundle->Write(context.scratch / output.reference));
    } else if (KindOf(bundle.status()) == ErrorKind::kMachine && !absl::IsNotFound(bundle.status())) {
      return bundle.status();
    } else {
      // No calculator here, or it cannot run this source: the cells are made all the same, and say why nobody proved them.
      entry["reference_error"] = Message(bundle.status());
    }
  }
  if (!imported->warnings.empty()) entry["warnings"] = imported->warnings;
  output.entry = EntryText(entry);
  return output;
}

}  // namespace slipway
