// The node-case suite: the ONNX standard's node cases through every target, judged by the runtimes. docs/suites.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/error.h"
#include "common/base/file.h"
#include "tests/suites/exclusions.h"
#include "tests/suites/node_case.h"
#include "tests/suites/run_case.h"

namespace slipway::suites {
namespace {

// How many cases of Debian's suite (1.12) a target is scored on: a case that silently drops out of the score fails the run.
struct Denominator {
  std::string_view target;
  size_t cases;
};
constexpr Denominator kDenominators[] = {
    {kDialect, 1030}, {"onnx", 712}, {"tflite", 710}, {"coreml", 698}, {"ncnn", 620}};

struct Settings {
  std::vector<std::string> targets;
  std::string filter;
  std::string json;
  std::string data = "/usr/share/libonnx-testdata/data";
  std::string exclusions = SLIPWAY_SOURCE_DIR "/tests/suites/exclusions";
  bool list_failures = false;
};

struct Outcome {
  const NodeCase* node_case;
  CaseResult result;
};

struct Tally {
  size_t passed = 0, total = 0;
};

std::string Percent(const Tally& tally) {
  return fmt::format("{:5.1f} %", tally.total == 0 ? 0.0 : 100.0 * tally.passed / tally.total);
}

std::map<std::string, Tally> ByFamily(const std::vector<Outcome>& outcomes) {
  std::map<std::string, Tally> families;
  for (const Outcome& outcome : outcomes) {
    Tally& tally = families[outcome.node_case->family];
    ++tally.total;
    tally.passed += outcome.result.passed();
  }
  return families;
}

Tally InAll(const std::vector<Outcome>& outcomes) {
  const auto passed = std::ranges::count_if(outcomes, [](const Outcome& outcome) { return outcome.result.passed(); });
  return {static_cast<size_t>(passed), outcomes.size()};
}

void PrintTable(std::string_view target, const std::vector<Outcome>& outcomes) {
  std::cout << target << "\n";
  for (const auto& [family, tally] : ByFamily(outcomes))
    std::cout << fmt::format("  {:<16}{:>4} / {:<4}{}\n", family, tally.passed, tally.total, Percent(tally));
  const Tally all = InAll(outcomes);
  std::cout << fmt::format("  {:<16}{:>4} / {:<4}{}\n", "all", all.passed, all.total, Percent(all));
}

nlohmann::json ToJson(const std::vector<Outcome>& outcomes) {
  const auto tally_json = [](const Tally& tally) {
    return nlohmann::json{{"passed", tally.passed}, {"total", tally.total}};
  };
  nlohmann::json json = tally_json(InAll(outcomes));
  for (const auto& [family, tally] : ByFamily(outcomes)) json["families"][family] = tally_json(tally);
  json["failures"] = nlohmann::json::array();
  for (const auto& [node_case, result] : outcomes) {
    if (!result.passed())
      json["failures"].push_back({{"case", node_case->name}, {"stage", result.stage}, {"reason", result.reason}});
  }
  return json;
}

// Whether every case ended as the exclusion list says; prints what did not.
absl::StatusOr<bool> AsExpected(const Settings& settings, std::string_view target,
                                const std::vector<Outcome>& outcomes) {
  ASSIGN_OR_RETURN(auto exclusions,
                   ReadExclusions(std::filesystem::path(settings.exclusions) / fmt::format("{}.txt", target)));
  bool expected = true;
  for (const auto& [node_case, result] : outcomes) {
    const bool excluded = exclusions.erase(node_case->name) > 0;
    if (excluded != result.passed()) continue;
    expected = false;
    std::cout << fmt::format(
        "{}: {} {}\n", target, node_case->name,
        excluded ? "passes, but is on the exclusion list" : fmt::format("fails [{}] {}", result.stage, result.reason));
  }
  if (!settings.filter.empty()) return expected;
  for (const auto& [name, reason] : exclusions) {
    std::cout << fmt::format("{}: {} is on the exclusion list, but is no case of the suite\n", target, name);
    expected = false;
  }
  const auto denominator = std::ranges::find(kDenominators, target, &Denominator::target);
  if (denominator->cases != outcomes.size()) {
    std::cout << fmt::format("{}: {} cases were scored instead of {}\n", target, outcomes.size(), denominator->cases);
    expected = false;
  }
  return expected;
}

absl::StatusOr<bool> RunSuite(const Settings& settings) {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  if (python == nullptr)
    return FailedPrecondition("SLIPWAY_PYTHON is not set: it names the interpreter that has the runtimes");
  ASSIGN_OR_RETURN(const TemporaryFolder scratch, TemporaryFolder::Create("/tmp", "slipway-suite-"));
  const std::unique_ptr<HostProvider> hosts = SpawningHosts(python, scratch.path());
  ASSIGN_OR_RETURN(const std::vector<NodeCase> shipped, ReadNodeCases(settings.data));
  std::vector<NodeCase> frozen;
  for (const NodeCase& node_case : shipped) {
    if (node_case.is_scored) frozen.push_back(Freeze(node_case));
  }

  nlohmann::json report = nlohmann::json::object();
  const std::regex filter(settings.filter);
  bool expected = true;
  for (const std::string& target : settings.targets) {
    std::vector<Outcome> outcomes;
    for (const NodeCase& node_case : target == "onnx" || target == kDialect ? shipped : frozen) {
      if (!IsAddressable(node_case, target) || !std::regex_search(node_case.name, filter)) continue;
      Outcome outcome{&node_case, RunCase(*hosts, node_case, target, scratch.path())};
      if (settings.list_failures && !outcome.result.passed()) {
        std::cout << fmt::format("{}\t{}\t{}\t{}", target, node_case.name, outcome.result.stage, outcome.result.reason)
                  << std::endl;
      }
      outcomes.push_back(std::move(outcome));
    }
    PrintTable(target, outcomes);
    report[target] = ToJson(outcomes);
    ASSIGN_OR_RETURN(const bool target_expected, AsExpected(settings, target, outcomes));
    expected &= target_expected;
  }
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
  CLI::App app("The ONNX standard's node cases through Slipway's targets, judged by the runtimes");
  app.add_option("--target", settings.targets, "dialect, onnx, tflite, coreml or ncnn; several by comma")
      ->delimiter(',')
      ->check(CLI::IsMember({"dialect", "onnx", "tflite", "coreml", "ncnn"}));
  app.add_option("--filter", settings.filter, "only cases whose name this regular expression finds");
  app.add_option("--json", settings.json, "also write the figures and failures to this file");
  app.add_option("--data", settings.data, "the suite's folder")->capture_default_str();
  app.add_option("--exclusions", settings.exclusions, "the folder of the exclusion lists")->capture_default_str();
  app.add_flag("--list-failures", settings.list_failures, "a line for each failing case: target, case, stage, reason");
  CLI11_PARSE(app, argc, argv);
  if (settings.targets.empty()) settings.targets = {"dialect", "onnx", "tflite", "coreml", "ncnn"};
  const absl::StatusOr<bool> expected = slipway::suites::RunSuite(settings);
  if (!expected.ok()) {
    std::cerr << slipway::Message(expected.status()) << "\n";
    return 2;
  }
  return *expected ? 0 : 1;
}
