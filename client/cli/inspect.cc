// slipway inspect FILE: what a model file holds, and what stands between it and a target.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "client/cli/verb.h"
#include "client/report/text.h"
#include "common/base/error.h"
#include "convert/capabilities/capabilities.h"
#include "convert/inspect/blocking.h"
#include "convert/inspect/local_source.h"
#include "convert/inspect/summary.h"

namespace slipway::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

void Print(const Rows& rows, std::string_view indent = "  ") {
  for (const std::string& line : Columns(rows)) std::puts((std::string(indent) + line).c_str());
}

std::string ShapeText(const TensorSummary& tensor) {
  if (!tensor.shape) return "[…]";
  std::string text;
  for (const std::string& size : *tensor.shape) text += (text.empty() ? "" : ", ") + size;
  return "[" + text + "]";
}

std::string TensorText(const TensorSummary& tensor) {
  std::string text = tensor.name;
  if (tensor.shape) text += " " + ShapeText(tensor);
  if (!tensor.type.empty()) text += " " + tensor.type;
  return text;
}

void PrintTensors(std::string_view title, const std::vector<TensorSummary>& tensors) {
  if (tensors.empty()) return;
  std::puts(std::string(title).c_str());
  Rows rows;
  for (const TensorSummary& tensor : tensors)
    rows.push_back({tensor.name, ShapeText(tensor), tensor.type.empty() ? "?" : tensor.type});
  Print(rows);
}

void PrintNodes(const ModelSummary& summary) {
  std::puts("nodes");
  for (const NodeSummary& node : summary.nodes) {
    std::string line = "  " + node.op;
    if (!node.name.empty()) line += " '" + node.name + "'";
    if (!node.inside.empty()) line += " in " + node.inside;
    line += " ->";
    for (size_t i = 0; i < node.outputs.size(); ++i) line += (i == 0 ? " " : ", ") + TensorText(node.outputs[i]);
    std::puts(line.c_str());
  }
}

void PrintSummary(const ModelSummary& summary, bool nodes) {
  std::string head = summary.format;
  for (const auto& [key, value] : summary.facts) head += fmt::format(", {} {}", key, value);
  std::puts(head.c_str());
  if (!summary.producer.empty()) std::puts(fmt::format("made by {}", summary.producer).c_str());
  PrintTensors("inputs", summary.inputs);
  PrintTensors("outputs", summary.outputs);
  PrintTensors("tensors", summary.tensors);
  if (!summary.nodes.empty()) {
    std::puts(fmt::format("operators ({} nodes)", summary.nodes.size()).c_str());
    const auto counts = summary.Operators();
    std::vector<std::pair<std::string, int64_t>> order(counts.begin(), counts.end());
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    Rows rows;
    for (const auto& [op, count] : order) rows.push_back({op, std::to_string(count)});
    Print(rows);
  }
  if (!summary.weights.empty()) {
    std::puts("weights");
    Rows rows;
    for (const auto& [type, row] : summary.weights) {
      rows.push_back({type, fmt::format("{} tensors", row.tensors), fmt::format("{} elements", row.elements),
                      HumanBytes(static_cast<uint64_t>(row.bytes))});
    }
    Print(rows);
  }
  std::puts("files");
  Rows rows;
  for (const FileSummary& file : summary.files)
    rows.push_back({file.path, HumanBytes(file.bytes), fmt::format("{} bytes", file.bytes)});
  Print(rows);
  if (summary.format == "checkpoint") {
    std::string fits;
    for (const std::string& name : summary.fits) fits += (fits.empty() ? "" : ", ") + name;
    std::puts(("fits " + (fits.empty() ? "no built-in architecture" : fits)).c_str());
  }
  for (const std::string& remark : summary.remarks) std::puts(("note: " + remark).c_str());
  if (nodes) PrintNodes(summary);
}

// Unreadable files are the file's fault, whatever the code says; a path that is not there is the user's.
int FailToRead(const absl::Status& status) {
  if (absl::IsNotFound(status)) return Fail(WithKind(status, ErrorKind::kUsage));
  if (KindOf(status) == ErrorKind::kUsage) return Fail(status);
  std::fprintf(stderr, "slipway: %s\n", Message(status).c_str());
  return kExitNothingPassed;
}

absl::StatusOr<std::vector<std::string>> AskedTargets(const Settings& settings) {
  std::vector<std::string> targets;
  for (const std::string& name : settings.List("for")) {
    if (name == "all") {
      for (const TargetInfo& target : Targets()) targets.emplace_back(target.name);
    } else if (FindTarget(name) != nullptr) {
      targets.push_back(name);
    } else {
      std::vector<std::string> known = {"all"};
      for (const TargetInfo& target : Targets()) known.emplace_back(target.name);
      return WithKind(InvalidArgument("--for: there is no target '{}'{}", name, DidYouMean(name, known)),
                      ErrorKind::kUsage);
    }
  }
  return targets;
}

absl::StatusOr<std::vector<Convertibility>> AskTargets(const std::string& path, const ModelSummary& summary,
                                                       const std::vector<std::string>& targets) {
  if (targets.empty()) return std::vector<Convertibility>();
  if (summary.format == "onnx") {
    ASSIGN_OR_RETURN(const Source source, LocalOnnxSource(summary.files.front().path));
    return FindBlocking(source, targets);
  }
  if (summary.format != "checkpoint")
    return WithKind(
        InvalidArgument("--for asks about models to convert: .onnx files and checkpoints; {} is of format {}", path,
                        summary.format),
        ErrorKind::kUsage);
  if (summary.fits.empty()) return InvalidArgument("{} fits no built-in architecture", path);
  Source source{.kind = Source::Kind::kCheckpoint, .architecture = summary.fits.front()};
  source.main.path = path;
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  return FindBlocking(source, targets);
}

}  // namespace

int RunInspect(const Settings& settings, const Arguments& file) {
  const absl::StatusOr<std::vector<std::string>> targets = AskedTargets(settings);
  if (!targets.ok()) return Fail(targets.status());
  const absl::StatusOr<ModelSummary> summary = Inspect(file[0]);
  if (!summary.ok()) return FailToRead(summary.status());
  const bool nodes = settings.Switch("nodes");
  const absl::StatusOr<std::vector<Convertibility>> asked = AskTargets(file[0], *summary, *targets);
  if (!asked.ok()) return FailToRead(asked.status());
  bool convertible = true;
  for (const Convertibility& target : *asked) convertible = convertible && target.blocking.empty();
  if (settings.Switch("json")) {
    auto json = nlohmann::ordered_json::parse(ToJson(*summary, nodes));
    for (const Convertibility& target : *asked) {
      json["targets"][target.target] = {{"convertible", target.blocking.empty()}, {"blocking", target.blocking}};
    }
    std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return convertible ? kExitOk : kExitNothingPassed;
  }
  PrintSummary(*summary, nodes);
  for (const Convertibility& target : *asked) {
    std::puts(target.blocking.empty()
                  ? fmt::format("for {}: nothing blocks it", target.target).c_str()
                  : fmt::format("for {}: {} blocking", target.target, target.blocking.size()).c_str());
    for (const std::string& line : target.blocking) std::puts(("  " + line).c_str());
  }
  return convertible ? kExitOk : kExitNothingPassed;
}

}  // namespace slipway::cli
