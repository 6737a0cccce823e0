#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/output_file.h"
#include "convert/import/edits.h"
#include "convert/import/import.h"
#include "convert/parity/parity.h"
#include "convert/targets/convert.h"
#include "worker/pipeline/emitted.h"
#include "worker/pipeline/entry.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/source.h"
#include "worker/pipeline/steps.h"

namespace slipway {
namespace {

using nlohmann::json;

// Import, legalize, write: the artifact's files in scratch/artifact.
absl::StatusOr<Emitted> Make(const TaskInputs& inputs, const TaskContext& context, Timings& timings) {
  const Target* target = FindTargetByName(inputs.task.target);
  if (target == nullptr) return Unimplemented("there is no target '{}' in this build", inputs.task.target);
  context.progress("importing");
  timings.Begin("import");
  ASSIGN_OR_RETURN(const Source source, SourceOf(inputs));
  ASSIGN_OR_RETURN(Imported imported, Import(source));
  if (source.interface.channels_last) RETURN_IF_ERROR(MakeInterfaceChannelsLast(*imported.model.graph));
  context.progress("converting");
  timings.Begin("convert");
  TargetOptions options;
  options.model_name = inputs.model.name;
  options.precision = inputs.task.precision;
  options.opset = inputs.options.opset;
  const std::filesystem::path folder = context.scratch / "artifact";
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) return ErrnoStatus(error.value(), "make the artifact's folder");
  return ConvertTo(*target, std::move(imported.model.graph), options, folder);
}

absl::Status WriteNewFile(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  RETURN_IF_ERROR(file.Write(bytes));
  return file.Close();
}

// The artifact that an earlier task made, laid out in scratch/artifact as Make would leave it.
absl::StatusOr<Emitted> LayOut(const TaskInputs& inputs, const TaskContext& context) {
  const auto bytes = [&](const Digest& digest) -> absl::StatusOr<std::span<const std::byte>> {
    const auto blob = inputs.blobs.find(digest.ToString());
    if (blob == inputs.blobs.end()) return WithKind(Internal("the artifact was not handed over"), ErrorKind::kMachine);
    return blob->second->bytes();
  };
  ASSIGN_OR_RETURN(const std::span<const std::byte> text, bytes(inputs.made->emitted));
  ASSIGN_OR_RETURN(Emitted emitted, ParseEmitted({reinterpret_cast<const char*>(text.data()), text.size()}));
  for (const ResultFile& file : inputs.made->files) {
    ASSIGN_OR_RETURN(const std::span<const std::byte> content, bytes(file.digest));
    const std::filesystem::path path = context.scratch / "artifact" / file.path;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return ErrnoStatus(error.value(), "make the artifact's folder");
    RETURN_IF_ERROR(WriteNewFile(path, content));
  }
  return emitted;
}

// Why there is nothing to compare with; empty when there is.
std::string WhyNoReference(const TaskInputs& inputs) {
  if (!inputs.options.verify) return "not verified: --no-verify";
  if (inputs.reference) return "";
  const json prepared = json::parse(inputs.prepare_entry, nullptr, /*allow_exceptions=*/false);
  if (prepared.is_object() && prepared.contains("reference_error") && prepared["reference_error"].is_string()) {
    return "no reference outputs: " + prepared["reference_error"].get<std::string>();
  }
  return "no reference outputs were made";
}

absl::StatusOr<ParityResult> Prove(const TaskInputs& inputs, const TaskContext& context, const JudgeRequest& request) {
  const auto blob = inputs.blobs.find(inputs.reference->ToString());
  if (blob == inputs.blobs.end()) return WithKind(Internal("the reference was not handed over"), ErrorKind::kMachine);
  absl::StatusOr<ReferenceBundle> reference = ReferenceBundle::Read(blob->second);
  if (!reference.ok()) return WithKind(Annotate(reference.status(), "the reference bundle"), ErrorKind::kMachine);
  return WithFreshHosts([&] { return Judge(*context.hosts, request, *reference); });
}

struct State {
  std::string name, reason;
};

State StateOf(const ParityResult& parity) {
  switch (parity.verdict) {
    case Verdict::kPassed:
      return {"passed", ""};
    case Verdict::kFailed:
      return {"parity_failed", parity.reason.empty() ? "an output is beyond its tolerance" : parity.reason};
    case Verdict::kNotDiscriminating:
      return {"unverified", parity.reason.empty() ? "the gates cannot tell the samples apart" : parity.reason};
    case Verdict::kNotRun:
      break;
  }
  return {"unverified", parity.reason.empty() ? "no judge ran" : parity.reason};
}

TaskOutput Failed(const TaskInputs& inputs, const absl::Status& why) {
  TaskOutput output{.state = "failed", .reason = Message(why)};
  output.entry = FailedEntry(inputs.model, inputs.task, output.reason);
  return output;
}

}  // namespace

absl::StatusOr<TaskOutput> RunCell(const TaskInputs& inputs, const TaskContext& context) {
  Timings timings;
  absl::StatusOr<Emitted> emitted = inputs.made ? LayOut(inputs, context) : Make(inputs, context, timings);
  if (inputs.made && !emitted.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(context.scratch / "artifact", ignored);
    emitted = Make(inputs, context, timings);
  }
  if (!emitted.ok()) {
    if (KindOf(emitted.status()) == ErrorKind::kMachine) return emitted.status();
    return Failed(inputs, emitted.status());
  }
  TaskOutput output;
  output.files = emitted->files;
  if (const std::string text = EmittedText(*emitted); !text.empty()) {
    output.emitted = "emitted.json";
    RETURN_IF_ERROR(WriteNewFile(context.scratch / output.emitted, std::as_bytes(std::span(text))));
  }
  json entry = ArtifactEntry(inputs.task);
  entry["path"] = emitted->path;
  entry["requires"] = emitted->requires_runtime.empty() ? json() : json(emitted->requires_runtime);
  entry["io_schema"] = ToJson(emitted->io);
  ParityResult parity;
  parity.reason = WhyNoReference(inputs);
  const JudgeRequest request{inputs.task.target,  inputs.task.precision,    context.scratch / "artifact",
                             *std::move(emitted), inputs.options.tolerance, inputs.model.kind == "dummy"};
  if (parity.reason.empty()) {
    context.progress("judging");
    timings.Begin("judge");
    absl::StatusOr<ParityResult> judged = Prove(inputs, context, request);
    if (!judged.ok() && KindOf(judged.status()) == ErrorKind::kMachine) return judged.status();
    if (!judged.ok()) return Failed(inputs, Annotate(judged.status(), "judging"));
    parity = *std::move(judged);
    output.parity = "parity.json";
    RETURN_IF_ERROR(
        WriteFileAtomically(context.scratch / output.parity, EntryText(ParityReport(request, parity)) + "\n"));
  }
  const State state = StateOf(parity);
  output.state = state.name;
  output.reason = state.reason;
  entry["status"] = state.name;
  entry["reason"] = state.reason.empty() ? json() : json(state.reason);
  entry["parity"] = parity.ToJson();
  entry["timings_ms"] = timings.ToJson();
  output.entry = EntryText(entry);
  return output;
}

}  // namespace slipway
