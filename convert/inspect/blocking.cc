#include "convert/inspect/blocking.h"

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/passes/passes.h"
#include "convert/targets/convert.h"

namespace slipway {
namespace {

// Whether all that the node reads and makes is known: what follows a node that was not imported is not judged.
bool IsKnown(const Node& node) {
  for (const auto* values : {&node.inputs, &node.outputs}) {
    for (const Value* value : *values) {
      if (value != nullptr && (value->type == DataType::kUndefined || !value->shape)) return false;
    }
  }
  return true;
}

absl::StatusOr<std::vector<std::string>> Refusals(const Target& target, const Graph& graph, bool whole) {
  TargetOptions options;
  options.model_name = "model";
  const std::unique_ptr<Graph> copy = graph.Clone();
  std::vector<std::string> blocking;
  const absl::Status legalized = target.Legalize(*copy, options);
  // A graph with gaps cannot always be rewritten: then only what it lacks is told.
  if (!legalized.ok()) return whole ? std::vector<std::string>{Message(legalized)} : blocking;
  for (const auto& node : copy->nodes()) {
    if (!whole && !IsKnown(*node)) continue;
    if (const absl::Status status = target.Check(*node, options); !status.ok()) blocking.push_back(Message(status));
  }
  if (!whole || !blocking.empty()) return blocking;
  // What only the writer sees.
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create(error ? "/tmp" : parent, "slipway-inspect-"));
  const absl::StatusOr<Emitted> emitted = target.Emit(*copy, options, folder.path());
  if (!emitted.ok() && KindOf(emitted.status()) != ErrorKind::kModel) return emitted.status();
  if (!emitted.ok()) blocking.push_back(Message(emitted.status()));
  return blocking;
}

}  // namespace

absl::StatusOr<std::vector<Convertibility>> FindBlocking(const Source& source,
                                                         const std::vector<std::string>& targets) {
  std::vector<absl::Status> refused;
  std::unique_ptr<Graph> graph;
  if (source.kind == Source::Kind::kOnnx) {
    ASSIGN_OR_RETURN(Model model, ImportOnnx(source, &refused));
    graph = std::move(model.graph);
    if (const absl::Status status = Simplify(*graph); !status.ok()) {
      if (refused.empty()) return status;
      graph = nullptr;
    }
  } else {
    ASSIGN_OR_RETURN(Imported imported, Import(source));
    graph = std::move(imported.model.graph);
  }
  const bool whole = refused.empty();
  std::vector<Convertibility> found;
  for (const std::string& name : targets) {
    Convertibility& row = found.emplace_back();
    row.target = name;
    for (const absl::Status& status : refused) row.blocking.push_back(Message(status));
    const Target* target = FindTargetByName(name);
    if (target == nullptr) return InvalidArgument("there is no target '{}'", name);
    if (graph == nullptr) continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> more, Refusals(*target, *graph, whole));
    row.blocking.insert(row.blocking.end(), more.begin(), more.end());
  }
  return found;
}

}  // namespace slipway
