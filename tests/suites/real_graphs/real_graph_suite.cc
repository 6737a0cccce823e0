// The real-graph suite: networks as PyTorch's exporters write them (real_graphs.py), through every target, judged at fp32. docs/real_graphs.md.
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/parity/parity.h"
#include "convert/targets/convert.h"
#include "tests/support/onnx_source.h"

namespace slipway::suites {
namespace {

constexpr size_t kLeastFiles = 17;  // a folder that lost files fails the run

// Transposes inside a TFLite file that a net's own data movement needs: the channel shuffle of each of ShuffleNet's units; of the detector's two heads the
// boxes and the scores, whose anchors come before their cells. Every other net has none.
const std::map<std::string, size_t> kInnerTransposes = {{"shufflenet_v2", 16}, {"detector", 4}};

struct Settings {
  std::vector<std::string> targets;
  std::string filter, json, folder, keep;
  std::string known_failures = SLIPWAY_SOURCE_DIR "/tests/suites/real_graphs/known_failures.txt";
};

struct Row {
  std::string stage;   // "import", "reference", "convert", "judge", "layout"; empty: passed
  std::string reason;  // one line
  double import_ms = 0, convert_ms = 0;
  size_t inner_transposes = 0;
};

struct Net {
  std::string file, net;
  std::optional<Imported> imported;
  double import_ms = 0;
  std::string stage, reason;  // why it is not imported
};

class Stopwatch {
 public:
  double Milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Two sizes for every symbol: of the first axis the batch, of the others the image.
std::vector<std::map<std::string, int64_t>> TwoSizes(const Graph& graph) {
  std::vector<std::map<std::string, int64_t>> sizes(2);
  for (const Value* input : graph.inputs()) {
    for (size_t axis = 0; axis < input->shape->size(); ++axis) {
      std::vector<std::string> symbols;
      (*input->shape)[axis].CollectSymbols(symbols);
      for (const std::string& symbol : symbols) {
        sizes[0][symbol] = axis == 0 ? 1 : 24 + 8 * static_cast<int64_t>(axis);
        sizes[1][symbol] = axis == 0 ? 3 : 52 - 4 * static_cast<int64_t>(axis);
      }
    }
  }
  return sizes;
}

// Transposes that touch neither an input nor an output of the graph, as messages name them.
std::vector<std::string> InnerTransposes(const Graph& graph) {
  std::vector<std::string> inner;
  const auto at_interface = [](const Value* value, const std::vector<Value*>& interface) {
    return std::ranges::find(interface, value) != interface.end();
  };
  for (const auto& node : graph.nodes()) {
    if (node->kind == OpKind::kTranspose && !at_interface(node->input(0), graph.inputs()) &&
        !at_interface(node->output(), graph.outputs()))
      inner.push_back(Describe(*node));
  }
  return inner;
}

Row RunRow(HostProvider& hosts, const Net& net, const std::filesystem::path& folder, const std::string& target,
           const std::filesystem::path& artifacts) {
  Row row{net.stage, net.reason, net.import_ms};
  if (!net.imported) return row;
  const auto failed = [&](std::string_view stage, const absl::Status& status) {
    row.stage = stage;
    row.reason = Message(status);
    return row;
  };
  std::unique_ptr<Graph> graph = net.imported->model.graph->Clone();
  ReferenceBundle reference;
  auto samples = MakeSamples(*graph, {.count = 4, .sizes = TwoSizes(*graph)});
  if (!samples.ok()) return failed("reference", samples.status());
  reference.samples = *std::move(samples);
  reference.final_activations = FindFinalActivations(*graph);
  reference.constant_outputs = FindConstantOutputs(*graph);
  const absl::Status run = RunReference(hosts, folder / net.file, reference.final_activations, reference.samples);
  if (!run.ok()) return failed("reference", run);

  JudgeRequest request{target, "fp32", artifacts / fmt::format("{}-{}", net.file, target), {}, {}};
  std::filesystem::remove_all(request.folder);
  std::filesystem::create_directories(request.folder);
  TargetOptions options;
  options.model_name = "net";
  std::unique_ptr<Graph> legalized;
  const Stopwatch watch;
  auto emitted = ConvertTo(*FindTargetByName(target), std::move(graph), options, request.folder, &legalized);
  row.convert_ms = watch.Milliseconds();
  if (!emitted.ok()) return failed("convert", emitted.status());
  request.emitted = *std::move(emitted);
  const auto result = Judge(hosts, request, reference);
  if (!result.ok()) return failed("judge", result.status());
  if (result->verdict != Verdict::kPassed)
    return failed("judge", Internal("{}: {}", Name(result->verdict), result->reason));

  if (target == "tflite") {
    const std::vector<std::string> inner = InnerTransposes(*legalized);
    row.inner_transposes = inner.size();
    const auto allowed = kInnerTransposes.find(net.net);
    const size_t most = allowed == kInnerTransposes.end() ? 0 : allowed->second;
    if (inner.size() > most)
      return failed("layout",
                    Internal("{} transposes inside instead of {}: {}", inner.size(), most, fmt::join(inner, ", ")));
  }
  return row;
}

absl::StatusOr<std::vector<Net>> ReadNets(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(std::filesystem::path(settings.folder) / "index.json"));
  const nlohmann::json index = nlohmann::json::parse(text, nullptr, false);
  if (!index.is_object()) return DataLoss("{}/index.json is no JSON", settings.folder);
  const std::regex filter(settings.filter);
  std::vector<Net> nets;
  for (const nlohmann::json& entry : index["files"]) {
    Net net{entry["file"].get<std::string>(), entry["net"].get<std::string>()};
    if (std::regex_search(net.file, filter)) nets.push_back(std::move(net));
  }
  if (settings.filter.empty() && nets.size() < kLeastFiles)
    return Internal("{} lists {} files, at least {} are expected", settings.folder, nets.size(), kLeastFiles);
  return nets;
}

void ImportNet(Net& net, const std::filesystem::path& folder) {
  const Stopwatch watch;
  auto source = testing::OpenOnnx(folder / net.file);
  auto imported = source.ok() ? Import(*source) : source.status();
  net.import_ms = watch.Milliseconds();
  if (imported.ok()) {
    net.imported = *std::move(imported);
  } else {
    net.stage = "import";
    net.reason = Message(imported.status());
  }
}

// "target file" of the list's rows that are about these targets and files.
absl::StatusOr<std::set<std::string>> ReadKnownFailures(const Settings& settings, const std::vector<Net>& nets) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(settings.known_failures));
  std::istringstream lines(text);
  std::set<std::string> known;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string target, file, reason;
    if (line.starts_with('#') || !(words >> target >> file)) continue;
    if (!(words >> reason)) return Internal("{}: '{}' gives no reason", settings.known_failures, line);
    const bool selected = std::ranges::find(settings.targets, target) != settings.targets.end() &&
                          std::ranges::find(nets, file, &Net::file) != nets.end();
    if (selected) known.insert(target + " " + file);
  }
  return known;
}

absl::StatusOr<bool> RunSuite(const Settings& settings) {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  if (python == nullptr)
    return FailedPrecondition("SLIPWAY_PYTHON is not set: it names the interpreter that has the runtimes");
  if (settings.folder.empty())
    return FailedPrecondition("neither --folder nor SLIPWAY_REAL_GRAPHS names what real_graphs.py wrote");
  ASSIGN_OR_RETURN(std::vector<Net> nets, ReadNets(settings));
  ASSIGN_OR_RETURN(std::set<std::string> known, ReadKnownFailures(settings, nets));
  ASSIGN_OR_RETURN(const TemporaryFolder scratch, TemporaryFolder::Create("/tmp", "slipway-real-graphs-"));
  const std::unique_ptr<HostProvider> hosts = SpawningHosts(python, scratch.path());

  bool expected = true;
  std::map<std::string, size_t> passed;
  nlohmann::json report = nlohmann::json::array();
  for (Net& net : nets) {
    ImportNet(net, settings.folder);
    for (const std::string& target : settings.targets) {
      const Row row = RunRow(*hosts, net, settings.folder, target,
                             settings.keep.empty() ? scratch.path() : std::filesystem::path(settings.keep));
      if (settings.keep.empty()) std::filesystem::remove_all(scratch.path() / fmt::format("{}-{}", net.file, target));
      const bool is_known = known.erase(target + " " + net.file) > 0;
      passed[target] += row.stage.empty();
      std::cout << fmt::format(
                       "{:<7}{:<38}{:>5.0f} + {:<4.0f} ms  {}{}\n", target, net.file, row.import_ms, row.convert_ms,
                       row.stage.empty() ? "passed" : fmt::format("[{}] {}", row.stage, row.reason),
                       row.inner_transposes > 0 ? fmt::format(" ({} transposes inside)", row.inner_transposes) : "")
                << std::flush;
      if (row.stage.empty() == is_known) {
        expected = false;
        if (is_known) std::cout << "        but it is on the list of known failures\n";
      }
      report.push_back({{"target", target},
                        {"file", net.file},
                        {"stage", row.stage},
                        {"reason", row.reason},
                        {"import_ms", row.import_ms},
                        {"convert_ms", row.convert_ms},
                        {"inner_transposes", row.inner_transposes}});
    }
    net.imported.reset();
  }
  for (const std::string& target : settings.targets)
    std::cout << fmt::format("{:<7}{:>3} / {:<3}{:5.1f} %\n", target, passed[target], nets.size(),
                             100.0 * static_cast<double>(passed[target]) / static_cast<double>(nets.size()));
  if (!settings.json.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(settings.json,
                                        report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  }
  return expected;
}

}  // namespace
}  // namespace slipway::suites

int main(int argc, char** argv) {
  slipway::suites::Settings settings;
  CLI::App app("Networks as PyTorch's exporters write them through Slipway's targets, judged by the runtimes");
  app.add_option("--target", settings.targets, "onnx, tflite, coreml or ncnn; several by comma")
      ->delimiter(',')
      ->check(CLI::IsMember({"onnx", "tflite", "coreml", "ncnn"}));
  app.add_option("--filter", settings.filter, "only files whose name this regular expression finds");
  app.add_option("--folder", settings.folder, "what real_graphs.py wrote")->envname("SLIPWAY_REAL_GRAPHS");
  app.add_option("--keep", settings.keep, "leave the artifacts in this folder");
  app.add_option("--json", settings.json, "also write the rows to this file");
  app.add_option("--known-failures", settings.known_failures, "the list of rows that fail")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (settings.targets.empty()) settings.targets = {"onnx", "tflite", "coreml", "ncnn"};
  const absl::StatusOr<bool> expected = slipway::suites::RunSuite(settings);
  if (!expected.ok()) {
    std::cerr << slipway::Message(expected.status()) << "\n";
    return 2;
  }
  return *expected ? 0 : 1;
}
