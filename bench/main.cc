#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "bench/failover.h"
#include "bench/simulate.h"
#include "client/embedded/embedded_farm.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/installation.h"
#include "common/base/log.h"

namespace slipway {
namespace {

// One row an entry, one column a figure.
void PrintTable(const nlohmann::json& figures) {
  size_t width = 0;
  for (const auto& [name, row] : figures.items()) width = std::max(width, name.size());
  for (const auto& [name, row] : figures.items()) {
    std::cout << fmt::format("{:<{}}", name, width);
    for (const auto& [figure, value] : row.items()) {
      std::cout << (value.is_string() ? fmt::format("  {}: {}", figure, value.get<std::string>())
                                      : fmt::format("  {} {:.4g}", figure, value.get<double>()));
    }
    std::cout << "\n";
  }
}

int Finish(const absl::StatusOr<nlohmann::json>& figures, const std::string& file) {
  if (!figures.ok()) {
    std::cerr << "slipway-bench: " << Message(figures.status()) << "\n";
    return 1;
  }
  PrintTable(*figures);
  if (!file.empty()) {
    if (absl::Status status = WriteFileAtomically(file, figures->dump(2) + "\n"); !status.ok()) {
      std::cerr << "slipway-bench: " << Message(status) << "\n";
      return 5;
    }
  }
  return 0;
}

int Main(int argc, char** argv) {
  InitLogging("slipway-bench");
  CLI::App app(
      "Measures Slipway; docs/benchmarks.md says what each figure is.\n"
      "  slipway-bench convert mobilenet_v2 resnet50 --scaling\n"
      "  slipway-bench convert mtcnn-pnet@pnet.pt model.onnx --no-peers --json convert.json\n"
      "  slipway-bench farm --tasks 20000\n"
      "  slipway-bench failover --lease 5\n"
      "  slipway-bench simulate --workers 1000 --tasks 10000000");
  app.require_subcommand(1);
  std::string file;

  ConvertBenchOptions convert;
  convert.targets = {"onnx", "tflite", "coreml", "ncnn"};
  CLI::App* convert_verb = app.add_subcommand("convert", "conversions without parity, ours and other converters'");
  convert_verb
      ->add_option("models", convert.models, "FILE.onnx, ARCH@FILE, or ARCH for an ONNX file with made-up weights")
      ->default_val(std::vector<std::string>{"mobilenet_v2", "resnet50"});
  convert_verb->add_option("--target", convert.targets, "targets (default: all)")->delimiter(',');
  convert_verb->add_option("--repeats", convert.repeats, "runs of which the median counts")->capture_default_str();
  convert_verb->add_flag("--scaling", convert.scaling, "also graphs of 1,000 and 10,000 nodes");
  const std::filesystem::path root = OwnFolder().parent_path().parent_path();
  convert.peers = root / ".cache" / "peers";
  convert.peer_scripts = root / "bench" / "peers";
  convert_verb->add_option("--peers", convert.peers, "where bench/peers.sh installed other converters")
      ->envname("SLIPWAY_PEERS")
      ->capture_default_str();
  bool no_peers = false;
  convert_verb->add_flag("--no-peers", no_peers, "only Slipway");
  convert_verb->add_option("--json", file, "also write the figures to this file");

  FarmBenchOptions farm;
  CLI::App* farm_verb = app.add_subcommand("farm", "no-op tasks through an embedded farm");
  farm_verb->add_option("--tasks", farm.tasks, "tasks in bulk, and one by one")->capture_default_str();
  farm_verb->add_option("--latencies", farm.latencies, "single tasks on an idle farm")->capture_default_str();
  farm_verb->add_option("--slots", farm.slots, "tasks at once")->capture_default_str();
  farm_verb->add_option("--json", file, "also write the figures to this file");

  FailoverBenchOptions failover;
  CLI::App* failover_verb =
      app.add_subcommand("failover", "killed workers, killed and stopped coordinators, memory of waiting tasks");
  failover_verb->add_option("parts", failover.parts, "workers, coordinators, waiting (default: all)")
      ->check(CLI::IsMember({"workers", "coordinators", "waiting"}));
  failover_verb->add_option("--lease", failover.lease_s, "seconds of a lease")->capture_default_str();
  failover_verb->add_option("--backlog", failover.backlog, "tasks that wait while workers are killed")
      ->capture_default_str();
  failover_verb->add_option("--workers", failover.workers, "workers that are killed")->capture_default_str();
  failover_verb->add_option("--coordinators", failover.coordinators, "times that a coordinator is killed")
      ->capture_default_str();
  failover_verb->add_option("--stops", failover.stops, "times that a coordinator is stopped")->capture_default_str();
  failover_verb->add_option("--waiting", failover.waiting, "waiting tasks whose memory is measured")
      ->capture_default_str();
  failover_verb->add_option("--json", file, "also write the figures to this file");

  SimulateOptions simulation;
  CLI::App* simulate_verb =
      app.add_subcommand("simulate", "many workers on one Redis: where it saturates, what shards give");
  simulate_verb->add_option("--workers", simulation.workers, "workers")->capture_default_str();
  simulate_verb->add_option("--slots", simulation.slots, "slots of each")->capture_default_str();
  simulate_verb->add_option("--tasks", simulation.tasks, "tasks, over all shards")->capture_default_str();
  simulate_verb->add_option("--live", simulation.live, "most tasks that have not ended")->capture_default_str();
  simulate_verb->add_option("--request", simulation.request, "tasks of a request")->capture_default_str();
  simulate_verb->add_option("--tenants", simulation.tenants, "tenants")->capture_default_str();
  simulate_verb->add_option("--task-ms", simulation.task_ms, "mean time of a task; 0: none")->capture_default_str();
  simulate_verb->add_option("--lose", simulation.lose, "share of leases whose worker vanishes")->capture_default_str();
  simulate_verb->add_option("--lease", simulation.lease_s, "seconds of a lease")->capture_default_str();
  simulate_verb->add_option("--threads", simulation.threads, "threads and connections of each shard")
      ->capture_default_str();
  simulate_verb->add_option("--shards", simulation.shards, "redis-servers, each a farm of its own")
      ->capture_default_str();
  simulate_verb->add_option("--json", file, "also write the figures to this file");

  CLI11_PARSE(app, argc, argv);
  if (simulate_verb->parsed()) return Finish(Simulate(simulation), file);
  if (failover_verb->parsed()) return Finish(BenchFailover(failover), file);
  if (no_peers) convert.peers.clear();
  return convert_verb->parsed() ? Finish(BenchConvert(convert), file) : Finish(BenchFarm(farm), file);
}

}  // namespace
}  // namespace slipway

int main(int argc, char** argv) { return slipway::Main(argc, argv); }
