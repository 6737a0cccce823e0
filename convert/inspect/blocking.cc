#include "convert/inspect/blocking.h"

#include <algorithm>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/inspect/gaps.h"
#include "convert/passes/passes.h"
#include "convert/targets/convert.h"

namespace slipway {
namespace {

using inspect::BodiesOf;
using inspect::Body;
using inspect::Cut;
using inspect::CutUnknown;
using inspect::FindNamed;

// How often a graph is rewritten again without a node that could not be.
constexpr int kMostRounds = 64;

// Lines, each once, in order.
class Lines {
 public:
  void Add(std::string_view where, const absl::Status& status) {
    std::string line = where.empty() ? Message(status) : fmt::format("{}: {}", where, Message(status));
    if (known_.insert(line).second) lines_.push_back(std::move(line));
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::set<std::string> known_;
  std::vector<std::string> lines_;
};

// A graph of core IR to be judged: the model's, or the body of a node that was cut out of it.
struct Subject {
  std::string where;
  std::unique_ptr<Graph> graph;
};

// What the model's own interface is called; the inputs and outputs of a cut graph are not all of it.
using Interface = std::set<std::string>;

class Preparation {
 public:
  absl::Status Read(const Source& source) {
    if (source.kind != Source::Kind::kOnnx) {
      ASSIGN_OR_RETURN(Imported imported, Import(source));
      NoteInterface(*imported.model.graph);
      subjects_.push_back({"", std::move(imported.model.graph)});
      return absl::OkStatus();
    }
    std::vector<ImportRefusal> refused;
    ASSIGN_OR_RETURN(Model model, ImportOnnx(source, &refused));
    for (const ImportRefusal& refusal : refused) refused_.Add("", refusal.status);
    NoteInterface(*model.graph);
    Add("", std::move(model.graph));
    return absl::OkStatus();
  }

  bool whole() const { return refused_.lines().empty(); }
  const Lines& refused() const { return refused_; }
  const std::vector<Subject>& subjects() const { return subjects_; }
  const Interface& interface() const { return interface_; }

 private:
  void NoteInterface(const Graph& graph) {
    for (const auto* values : {&graph.inputs(), &graph.outputs()}) {
      for (const Value* value : *values) {
        if (value->type != DataType::kUndefined || value->producer != nullptr) interface_.insert(value->name);
      }
    }
  }

  void Add(const std::string& where, std::unique_ptr<Graph> graph) {
    const auto refuse = [&](const absl::Status& status) { refused_.Add(where, status); };
    inspect::InferAround(*graph, refuse);
    std::vector<Body> bodies;
    if (!whole() || !where.empty()) bodies = CutUnknown(graph);
    for (int round = 0; round < kMostRounds; ++round) {
      std::unique_ptr<Graph> simplified = graph->Clone();
      const absl::Status status = Simplify(*simplified);
      if (status.ok()) {
        graph = std::move(simplified);
        break;
      }
      refuse(status);
      Node* node = FindNamed(*graph, Message(status));
      if (node == nullptr) break;  // judged as it is written
      for (Body& body : BodiesOf(*node)) bodies.push_back(std::move(body));
      Cut(node);
    }
    subjects_.push_back({where, std::move(graph)});
    for (Body& body : bodies)
      Add(where.empty() ? body.label : fmt::format("{}: {}", where, body.label), std::move(body.graph));
  }

  Lines refused_;
  std::vector<Subject> subjects_;
  Interface interface_;
};

class Judgement {
 public:
  Judgement(const Target& target, const Interface& interface) : target_(target), interface_(interface) {
    options_.model_name = "model";
  }

  // `graph` is core IR.
  void Judge(const std::string& where, const Graph& graph) {
    const std::unique_ptr<Graph> work = graph.Clone();
    std::unique_ptr<Graph> legalized;
    for (int round = 0; round < kMostRounds && legalized == nullptr; ++round) {
      std::unique_ptr<Graph> copy = work->Clone();
      const absl::Status status = target_.Legalize(*copy, options_);
      if (status.ok()) {
        legalized = std::move(copy);
        break;
      }
      Node* node = FindNamed(*work, Message(status));
      if (node == nullptr) {
        if (!NamesGap(*work, Message(status))) lines_.Add(where, status);
        return;
      }
      lines_.Add(where, status);
      JudgeBodies(where, *node);
      Cut(node);
    }
    if (legalized != nullptr) CheckNodes(where, *legalized, *work);
    if (where.empty() && lines_.lines().empty()) legalized_ = std::move(legalized);
  }

  // What only the writer sees, of a graph that was judged as a whole.
  absl::Status Write() {
    if (legalized_ == nullptr) return absl::OkStatus();
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
    ASSIGN_OR_RETURN(const TemporaryFolder folder,
                     TemporaryFolder::Create(error ? "/tmp" : parent, "slipway-inspect-"));
    const absl::StatusOr<Emitted> emitted = target_.Emit(*legalized_, options_, folder.path());
    if (emitted.ok()) return absl::OkStatus();
    if (KindOf(emitted.status()) != ErrorKind::kModel) return emitted.status();
    lines_.Add("", emitted.status());
    return absl::OkStatus();
  }

  const std::vector<std::string>& lines() const { return lines_.lines(); }

 private:
  bool IsGap(const Graph& graph, const Value* value) const {
    return value != nullptr && value->producer == nullptr && !value->constant && !interface_.contains(value->name) &&
           graph.Find(value->name) == value;
  }

  // Whether a complaint is about an edge where something was cut out.
  bool NamesGap(const Graph& graph, std::string_view message) const {
    const auto names = [&](const Value* value) {
      return !interface_.contains(value->name) &&
             message.find(fmt::format("'{}'", value->name)) != std::string_view::npos;
    };
    return std::ranges::any_of(graph.inputs(), names) || std::ranges::any_of(graph.outputs(), names);
  }

  void CheckNodes(const std::string& where, const Graph& legalized, const Graph& work) {
    for (const auto& node : legalized.nodes()) {
      const absl::Status status = target_.Check(*node, options_);
      if (status.ok()) {
        for (const auto& [name, attribute] : node->attributes.all()) {
          const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute);
          if (body != nullptr) CheckNodes(Inside(where, Describe(*node)), **body, work);
        }
        continue;
      }
      const Value* output = node->output(0);
      const Value* original = output != nullptr ? work.Find(output->name) : nullptr;
      const Node* written = original != nullptr ? original->producer : nullptr;
      // What rewriting put between a node and a gap says nothing of the model.
      const bool at_gap =
          std::ranges::any_of(node->inputs, [&](const Value* value) { return IsGap(legalized, value); }) ||
          std::ranges::any_of(node->outputs, [&](const Value* value) {
            return value != nullptr && legalized.IsOutput(value) && !interface_.contains(value->name);
          });
      if (written == nullptr && at_gap) continue;
      lines_.Add(where, status);
      if (written != nullptr) JudgeBodies(where, *written);
    }
  }

  void JudgeBodies(const std::string& where, const Node& node) {
    for (Body& body : BodiesOf(node)) {
      std::vector<Body> unknown = CutUnknown(body.graph);
      if (Simplify(*body.graph).ok()) Judge(Inside(where, body.label), *body.graph);
      for (const Body& inner : unknown) Judge(Inside(where, body.label + ": " + inner.label), *inner.graph);
    }
  }

  static std::string Inside(const std::string& where, const std::string& label) {
    return where.empty() ? label : fmt::format("{}: {}", where, label);
  }

  const Target& target_;
  const Interface& interface_;
  TargetOptions options_;
  Lines lines_;
  std::unique_ptr<Graph> legalized_;
};

}  // namespace

absl::StatusOr<std::vector<Convertibility>> FindBlocking(const Source& source,
                                                         const std::vector<std::string>& targets) {
  Preparation model;
  RETURN_IF_ERROR(model.Read(source));
  std::vector<Convertibility> found;
  for (const std::string& name : targets) {
    const Target* target = FindTargetByName(name);
    if (target == nullptr) return InvalidArgument("there is no target '{}'", name);
    Judgement judgement(*target, model.interface());
    for (const Subject& subject : model.subjects()) judgement.Judge(subject.where, *subject.graph);
    if (model.whole()) RETURN_IF_ERROR(judgement.Write());
    Convertibility& row = found.emplace_back(Convertibility{name, model.refused().lines()});
    row.blocking.insert(row.blocking.end(), judgement.lines().begin(), judgement.lines().end());
  }
  return found;
}

}  // namespace slipway
