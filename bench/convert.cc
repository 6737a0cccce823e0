#include "convert/targets/convert.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/bench.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/import.h"
#include "convert/import/onnx/onnx_import.h"

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

struct Run {
  double wall_s = 0, cpu_s = 0, peak_anon_mb = 0;
};

// RssAnon of a process in MiB; 0 once it has gone.
double AnonymousMemory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  }
  return 0;
}

// Converts in a child process, so that memory and CPU are its own.
absl::StatusOr<Run> Measure(const std::string& model, const std::string& target, const std::filesystem::path& folder) {
  Run run;
  const auto start = SteadyClock::now();
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) {
    const absl::Status status = ConvertOnce(model, target, folder);
    if (!status.ok()) fmt::print(stderr, "{} to {}: {}\n", model, target, Message(status));
    _exit(status.ok() ? 0 : 1);
  }
  std::atomic<bool> ended = false;
  std::thread sampler([&] {
    while (!ended) {
      run.peak_anon_mb = std::max(run.peak_anon_mb, AnonymousMemory(child));
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  });
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  run.wall_s = Seconds(SteadyClock::now() - start).count();
  ended = true;
  sampler.join();
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (status != 0) return FailedPrecondition("{} could not be converted to {}", model, target);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  run.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return run;
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

template <typename T>
T Median(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string ShortName(const std::string& model) {
  const size_t at = model.find('@');
  return at != std::string::npos ? model.substr(0, at) : std::filesystem::path(model).stem().string();
}

}  // namespace

absl::StatusOr<nlohmann::json> BenchConvert(const ConvertBenchOptions& options) {
  nlohmann::json figures = nlohmann::json::object();
  ASSIGN_OR_RETURN(const TemporaryFolder scratch,
                   TemporaryFolder::Create(std::filesystem::temp_directory_path(), "slipway-bench-"));
  for (const std::string& model : options.models) {
    for (const std::string& target : options.targets) {
      std::vector<double> wall, cpu, memory, floor;
      for (int i = 0; i < std::max(1, options.repeats); ++i) {
        const std::filesystem::path folder = scratch.path() / "artifact";
        std::filesystem::remove_all(folder);
        std::filesystem::create_directory(folder);
        ASSIGN_OR_RETURN(const Run run, Measure(model, target, folder));
        ASSIGN_OR_RETURN(const double copy_hash, CopyAndHash(folder, scratch.path() / "copy"));
        wall.push_back(run.wall_s);
        cpu.push_back(run.cpu_s);
        memory.push_back(run.peak_anon_mb);
        floor.push_back(copy_hash);
      }
      figures[ShortName(model) + "/" + target] = {{"wall_s", Median(wall)},
                                                  {"cpu_s", Median(cpu)},
                                                  {"peak_anon_mb", Median(memory)},
                                                  {"copy_hash_s", Median(floor)}};
    }
  }
  return figures;
}

}  // namespace slipway
