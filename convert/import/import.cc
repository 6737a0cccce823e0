#include "convert/import/import.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "common/base/error.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/edits.h"
#include "convert/import/onnx/cut.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/import/zoo/zoo.h"
#include "convert/passes/passes.h"

namespace slipway {
namespace {

// Fixes sizes that the source leaves open; sizes that it fixes can only be repeated. Sizes below 1 leave an axis as it
// is.
absl::Status ApplyShapes(Graph& graph, const std::map<std::string, std::vector<int64_t>>& shapes) {
  std::map<std::string, int64_t> bindings;
  for (const Value* input : graph.inputs()) {
    const auto given = shapes.find(input->name);
    if (given == shapes.end() || !input->shape) continue;
    const std::vector<int64_t>& sizes = given->second;
    const auto refuse = [&] {
      return WithKind(InvalidArgument("input '{}' is {}: it cannot have the shape {}", input->name,
                                      ToString(*input->shape), ToString(sizes)),
                      ErrorKind::kUsage);
    };
    if (sizes.size() != input->shape->size()) return refuse();
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      if (sizes[axis] < 1) continue;
      const Dim& dim = (*input->shape)[axis];
      std::vector<std::string> symbols;
      dim.CollectSymbols(symbols);
      if (symbols.size() == 1 && dim == Dim::Symbol(symbols.front())) {
        const auto [bound, fresh] = bindings.emplace(symbols.front(), sizes[axis]);
        if (!fresh && bound->second != sizes[axis]) return refuse();
      } else if (!dim.IsKnown() || dim.value() != sizes[axis]) {
        return refuse();
      }
    }
  }
  return bindings.empty() ? absl::OkStatus() : BindSymbols(graph, bindings);
}

// Why a model cannot be imported, if for several reasons: every op that is in the way with its first node, all in one line.
absl::Status AllReasons(const Source& source, const absl::Status& first) {
  constexpr size_t kMostNodes = 8, kMostOps = 40;
  std::vector<ImportRefusal> refused;
  // Without the data that it names nothing of a model is sure.
  const bool missing = Message(first).find("external data") != std::string::npos;
  if (missing || KindOf(first) != ErrorKind::kModel || !ImportOnnx(source, &refused).ok() || refused.size() < 2)
    return first;
  struct Group {
    const ImportRefusal* refusal;
    size_t count;
  };
  std::vector<Group> groups;
  absl::flat_hash_map<std::string_view, size_t> places;  // of ops
  for (const ImportRefusal& refusal : refused) {
    const auto [place, fresh] = places.emplace(refusal.op, groups.size());
    if (fresh || refusal.op.empty()) {
      groups.push_back({&refusal, 1});
    } else {
      ++groups[place->second].count;
    }
  }
  std::string text = fmt::format("{}: {} faults: ", source.main.path, refused.size());
  for (size_t i = 0; i < groups.size() && i < kMostOps; ++i) {
    const auto& [refusal, count] = groups[i];
    // Beyond the first few only the op: what to look for is then known.
    if (i < kMostNodes) {
      text += (i == 0 ? "" : " | ") + Message(refusal->status);
      if (count > 1) text += fmt::format(" (and {} more)", count - 1);
    } else {
      text += fmt::format(" | {} ({})", refusal->op.empty() ? Message(refusal->status) : refusal->op, count);
    }
  }
  if (groups.size() > kMostOps) text += fmt::format(" | and {} more", groups.size() - kMostOps);
  return absl::Status(first.code(), text);
}

absl::StatusOr<Imported> ImportFromOnnx(const Source& source) {
  Imported imported;
  absl::StatusOr<OnnxModel> model = ImportOnnx(source, nullptr, &imported.warnings);
  if (!model.ok()) return AllReasons(source, model.status());
  const DeclaredTypes declared = std::move(model->declared);
  imported.model = *std::move(model);
  imported.reference = "onnxruntime on the source file";
  std::unique_ptr<Graph>& graph = imported.model.graph;
  RETURN_IF_ERROR(ApplyShapes(*graph, source.interface.shapes));
  if (source.interface.EditsGraph()) {
    ASSIGN_OR_RETURN(imported.cuts_file, CutsFile(source));
    if (!imported.cuts_file) imported.unedited = graph->Clone();
    RETURN_IF_ERROR(FixAndCut(graph, source.interface, declared));
    if (imported.cuts_file) imported.unedited = graph->Clone();
    RETURN_IF_ERROR(WrapInterface(*graph, source.interface, imported.warnings));
    imported.as_written = graph->Clone();
    imported.reference = fmt::format("onnxruntime on the source graph, edited by {}", EditingFlags(source.interface));
    RETURN_IF_ERROR(RenameInterface(*graph, source.interface));
  }
  RETURN_IF_ERROR(Simplify(*graph));
  return imported;
}

absl::StatusOr<Imported> ImportArchitecture(const Source& source) {
  const ArchitectureOptions options{.input_size = source.input_size, .classes = source.classes};
  Imported imported;
  if (source.kind == Source::Kind::kDummy) {
    ASSIGN_OR_RETURN(imported.model.graph, BuildDummyArchitecture(source.architecture, source.seed, options));
  } else {
    ASSIGN_OR_RETURN(const Checkpoint checkpoint, ReadCheckpoint(source.main.file));
    absl::StatusOr<BuiltArchitecture> built = BuildArchitecture(source.architecture, checkpoint, options);
    if (!built.ok()) return Annotate(built.status(), source.main.path);
    imported.model.graph = std::move(built->graph);
    imported.warnings = std::move(built->warnings);
  }
  imported.reference =
      fmt::format("zoo graph, checked against {}", FindArchitecture(source.architecture)->checked_against);
  RETURN_IF_ERROR(ApplyShapes(*imported.model.graph, source.interface.shapes));
  if (source.interface.EditsGraph()) {
    RETURN_IF_ERROR(EditInterface(imported.model.graph, source.interface, imported.warnings));
    imported.reference += fmt::format(", edited by {}", EditingFlags(source.interface));
  }
  imported.as_written = imported.model.graph->Clone();
  RETURN_IF_ERROR(RenameInterface(*imported.model.graph, source.interface));
  RETURN_IF_ERROR(Simplify(*imported.model.graph));
  return imported;
}

}  // namespace

absl::StatusOr<Imported> Import(const Source& source) {
  absl::StatusOr<Imported> imported =
      source.kind == Source::Kind::kOnnx ? ImportFromOnnx(source) : ImportArchitecture(source);
  if (!imported.ok() || source.interface.labels.empty()) return imported;
  ASSIGN_OR_RETURN(imported->labelled_output, LabelledOutput(*imported->model.graph, source.interface.labels.size()));
  return imported;
}

}  // namespace slipway
