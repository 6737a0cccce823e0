#include "convert/targets/convert.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/peers.h"
#include "bench/scaling.h"
#include "client/embedded/embedded_farm.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/installation.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/import/zoo/zoo.h"
#include "convert/onnx_form/onnx_form.h"

namespace slipway {
namespace {

using Seconds = std::chrono::duration<double>;
using SteadyClock = std::chrono::steady_clock;

absl::StatusOr<Source> OpenSource(const std::string& model) {
  Source source;
  std::string path = model;
  if (const size_t at = model.find('@'); at != std::string::npos) {
    source.kind = Source::Kind::kCheckpoint;
    source.architecture = model.substr(0, at);
    path = model.substr(at + 1);
  }
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  source.main.path = path;
  if (source.kind == Source::Kind::kOnnx) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ExternalDataFiles(source.main.file->bytes()));
    for (const std::string& name : names) {
      const std::filesystem::path file = std::filesystem::path(path).parent_path() / name;
      ASSIGN_OR_RETURN(auto mapped, MappedFile::Open(file));
      source.external[name] = {file.string(), std::move(mapped)};
    }
  }
  return source;
}

absl::Status ConvertOnce(const std::string& model, const std::string& target, const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(const Source source, OpenSource(model));
  ASSIGN_OR_RETURN(Imported imported, Import(source));
  TargetOptions options;
  options.model_name = "model";
  const Target* converter = FindTargetByName(target);
  if (converter == nullptr) return InvalidArgument("no target '{}'", target);
  return ConvertTo(*converter, std::move(imported.model.graph), options, folder).status();
}

// The time to copy and hash every file under `folder`: what no converter can go below.
absl::StatusOr<double> CopyAndHash(const std::filesystem::path& folder, const std::filesystem::path& copy) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  const auto start = SteadyClock::now();
  for (const auto& file : files) {
    std::error_code ignored;
    std::filesystem::remove(copy, ignored);
    std::filesystem::copy_file(file, copy, ignored);
    UniqueFd fd(open(copy.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return ErrnoStatus(errno, "open " + copy.string());
    RETURN_IF_ERROR(DigestOfFile(fd.get()).status());
  }
  return Seconds(SteadyClock::now() - start).count();
}

std::string ShortName(const std::string& model) {
  const size_t at = model.find('@');
  return at != std::string::npos ? model.substr(0, at) : std::filesystem::path(model).stem().string();
}

absl::Status WriteDummy(const std::string& architecture, const std::filesystem::path& file) {
  Source source;
  source.kind = Source::Kind::kDummy;
  source.architecture = architecture;
  ASSIGN_OR_RETURN(const Imported imported, Import(source));
  return WriteOnnxFile(*imported.model.graph, {}, file).status();
}

absl::Status WriteLong(int nodes, const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Graph> graph, LongGraph(nodes));
  return WriteOnnxFile(*graph, {}, file).status();
}

constexpr int kShortGraph = 1000, kLongGraph = 10000;

nlohmann::json Figures(const Cost& cost) {
  return {{"wall_s", cost.wall_s},
          {"cpu_s", cost.cpu_s},
          {"peak_anon_mb", cost.peak_anon_mb},
          {"peak_mapped_mb", cost.peak_mapped_mb}};
}

class ConvertBench {
 public:
  ConvertBench(const ConvertBenchOptions& options, std::filesystem::path scratch)
      : options_(options), scratch_(std::move(scratch)) {}

  absl::StatusOr<nlohmann::json> Run() {
    for (const std::string& model : options_.models) {
      ASSIGN_OR_RETURN(const std::string source, SourceOf(model));
      for (const std::string& target : options_.targets) {
        const std::string row = ShortName(source) + "/" + target;
        ASSIGN_OR_RETURN(figures_[row], Conversion(source, target));
        ASSIGN_OR_RETURN(figures_[row + "/export"], WholeExport(source, target));
        AddPeers(source, target, row);
      }
    }
    if (options_.scaling) RETURN_IF_ERROR(AddScaling());
    return figures_;
  }

 private:
  // An architecture's name becomes an ONNX file of it.
  absl::StatusOr<std::string> SourceOf(const std::string& model) {
    if (FindArchitecture(model) == nullptr) return model;
    const std::filesystem::path file = scratch_ / (model + ".onnx");
    // In a process of its own, so that what it allocates is not in those that are forked to be measured.
    const absl::StatusOr<Cost> written = MeasureProcesses([&] {
      const absl::Status status = WriteDummy(model, file);
      if (!status.ok()) fmt::print(stderr, "{}: {}\n", model, Message(status));
      return status.ok() ? 0 : 1;
    });
    if (!written.ok()) return Annotate(written.status(), model);
    return file.string();
  }

  absl::StatusOr<std::filesystem::path> EmptyFolder() {
    std::filesystem::path folder = scratch_ / "artifact";
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (!std::filesystem::create_directory(folder, error)) return Internal("{}: {}", folder.string(), error.message());
    return folder;
  }

  // The converter alone, in one process.
  absl::StatusOr<Cost> Convert(const std::string& model, const std::string& target,
                               const std::filesystem::path& folder) {
    absl::StatusOr<Cost> cost = MeasureProcesses([&] {
      const absl::Status status = ConvertOnce(model, target, folder);
      if (!status.ok()) fmt::print(stderr, "{} to {}: {}\n", model, target, Message(status));
      return status.ok() ? 0 : 1;
    });
    if (!cost.ok()) return Annotate(cost.status(), fmt::format("{} to {}", model, target));
    return cost;
  }

  absl::StatusOr<nlohmann::json> Conversion(const std::string& model, const std::string& target) {
    std::vector<Cost> costs;
    std::vector<double> floor;
    uint64_t bytes = 0;
    for (int i = 0; i < std::max(1, options_.repeats); ++i) {
      ASSIGN_OR_RETURN(const std::filesystem::path folder, EmptyFolder());
      ASSIGN_OR_RETURN(const Cost cost, Convert(model, target, folder));
      ASSIGN_OR_RETURN(const double copy_hash, CopyAndHash(folder, scratch_ / "copy"));
      costs.push_back(cost);
      floor.push_back(copy_hash);
      bytes = 0;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) bytes += entry.file_size();
      }
    }
    const Cost cost = MedianOf(costs);
    const double artifact_mb = static_cast<double>(bytes) / (1 << 20);
    nlohmann::json row = Figures(cost);
    row["artifact_mb"] = artifact_mb;
    row["copy_hash_s"] = Median(floor);
    row["times_copy_hash"] = cost.wall_s / Median(floor);
    row["anon_limit_mb"] = 1.5 * artifact_mb + 100;
    return row;
  }

  // The command as a user gives it: client, farm and conversion, all started and ended.
  absl::StatusOr<nlohmann::json> WholeExport(const std::string& model, const std::string& target) {
    std::vector<Cost> costs;
    for (int i = 0; i < std::max(1, options_.repeats); ++i) {
      ASSIGN_OR_RETURN(const std::filesystem::path folder, EmptyFolder());
      const std::string log = scratch_ / "export.log";
      const std::vector<std::string> command = {(OwnFolder() / "slipway").string(),
                                                "export",
                                                model,
                                                "--target",
                                                target,
                                                "--no-verify",
                                                "--no-cache",
                                                "--out",
                                                folder.string()};
      absl::StatusOr<Cost> cost = MeasureCommand(command, log);
      if (!cost.ok()) return Annotate(cost.status(), fmt::format("slipway export {} --target {}", model, target));
      costs.push_back(*cost);
    }
    return Figures(MedianOf(costs));
  }

  // A peer that is not there, or fails, gets a row that says so.
  void AddPeers(const std::string& model, const std::string& target, const std::string& row) {
    if (options_.peers.empty() || !model.ends_with(".onnx")) return;
    const nlohmann::json ours = figures_[row + "/export"];
    for (const Peer& peer : Peers()) {
      if (peer.target != target) continue;
      nlohmann::json& theirs = figures_[fmt::format("{}/{}", row, peer.name)];
      const absl::StatusOr<Cost> cost = MeasurePeer(peer, model);
      if (!cost.ok()) {
        theirs = {{"absent", std::string(Message(cost.status()))}};
        continue;
      }
      theirs = Figures(*cost);
      theirs["times_our_cpu"] = cost->cpu_s / ours["cpu_s"].get<double>();
      theirs["times_our_wall"] = cost->wall_s / ours["wall_s"].get<double>();
    }
  }

  absl::StatusOr<Cost> MeasurePeer(const Peer& peer, const std::string& model) {
    ASSIGN_OR_RETURN(std::vector<std::string> command, PeerCommand(peer, options_.peers, options_.peer_scripts));
    const std::filesystem::path folder = scratch_ / "artifact";
    command.insert(command.end(), {model, folder.string()});
    std::vector<Cost> costs;
    for (int i = 0; i < std::max(1, options_.repeats); ++i) {
      RETURN_IF_ERROR(EmptyFolder().status());
      ASSIGN_OR_RETURN(const Cost cost, MeasureCommand(command, scratch_ / "peer.log"));
      costs.push_back(cost);
    }
    return MedianOf(costs);
  }

  absl::Status AddScaling() {
    std::map<int, std::string> files;
    for (const int nodes : {kShortGraph, kLongGraph}) {
      const std::filesystem::path file = scratch_ / fmt::format("nodes-{}.onnx", nodes);
      RETURN_IF_ERROR(WriteLong(nodes, file));
      files[nodes] = file.string();
    }
    for (const std::string& target : options_.targets) {
      std::map<int, std::vector<Cost>> costs;
      for (int i = 0; i < std::max(1, options_.repeats); ++i) {
        for (const auto& [nodes, file] : files) {
          ASSIGN_OR_RETURN(const std::filesystem::path folder, EmptyFolder());
          ASSIGN_OR_RETURN(const Cost cost, Convert(file, target, folder));
          costs[nodes].push_back(cost);
        }
      }
      const Cost small = MedianOf(costs[kShortGraph]), large = MedianOf(costs[kLongGraph]);
      figures_["scaling/" + target] = {{"nodes_1000_s", small.wall_s},
                                       {"nodes_10000_s", large.wall_s},
                                       {"ratio", large.wall_s / small.wall_s},
                                       {"cpu_ratio", large.cpu_s / small.cpu_s}};
    }
    return absl::OkStatus();
  }

  const ConvertBenchOptions& options_;
  const std::filesystem::path scratch_;
  nlohmann::json figures_ = nlohmann::json::object();
};

}  // namespace

absl::StatusOr<nlohmann::json> BenchConvert(const ConvertBenchOptions& options) {
  ASSIGN_OR_RETURN(const TemporaryFolder scratch,
                   TemporaryFolder::Create(std::filesystem::temp_directory_path(), "slipway-bench-"));
  return ConvertBench(options, scratch.path()).Run();
}

}  // namespace slipway
