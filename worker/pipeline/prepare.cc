#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "convert/import/import.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/parity/parity.h"
#include "worker/pipeline/entry.h"
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

// Samples and what the source makes of them.
absl::StatusOr<ReferenceBundle> MakeReference(const TaskInputs& inputs, const TaskContext& context,
                                              const Source& source, const Imported& imported) {
  const Graph& graph = imported.as_written != nullptr ? *imported.as_written : *imported.model.graph;
  ReferenceBundle bundle;
  bundle.reference = imported.reference;
  bundle.generator = fmt::format("drawn by use, seed {}", inputs.options.seed);
  SampleOptions options;
  options.count = inputs.options.samples;
  options.seed = inputs.options.seed;
  ASSIGN_OR_RETURN(bundle.samples, MakeSamples(graph, options));
  bundle.final_activations = FindFinalActivations(graph);
  bundle.constant_outputs = FindConstantOutputs(*imported.model.graph);
  ASSIGN_OR_RETURN(const std::filesystem::path file, ReferenceFile(source, imported, context.scratch));
  RETURN_IF_ERROR(
      WithFreshHosts([&] { return RunReference(*context.hosts, file, bundle.final_activations, bundle.samples); }));
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
  if (!imported->warnings.empty()) entry["warnings"] = imported->warnings;
  output.state = "passed";
  if (inputs.options.verify) {
    context.progress("running the reference");
    absl::StatusOr<ReferenceBundle> bundle = MakeReference(inputs, context, *source, *imported);
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
  output.entry = EntryText(entry);
  return output;
}

}  // namespace slipway
