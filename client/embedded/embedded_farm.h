// A farm of one's own: redis-server, slipway-coordinator and slipway-worker on Unix sockets in a temporary folder, for
// the length of one command. docs/cli.md, "Without a server".
//
// Between the client and the farm stands one supervisor: a single-threaded process, forked before the client has any
// thread. It is the parent (subreaper) of everything that the farm starts, has its own process group, so that Ctrl-C
// reaches only the client, and ends everything as soon as the client's end of their socket closes: by Stop(), by exit,
// by kill -9.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/channel.h"
#include "common/base/file.h"
#include "common/store/store.h"

namespace slipway {

struct EmbeddedFarmOptions {
  std::filesystem::path redis_server;  // FindRedisServer()
  std::filesystem::path binaries;      // folder of slipway-coordinator and slipway-worker
  std::string python;                  // interpreter of the judge hosts
  int slots = 1;                       // tasks at once
  std::vector<std::string> prewarm;    // judges to start at once: "onnxruntime", "litert", "ncnn"
  std::filesystem::path cache;         // of blobs and of what was made, kept for later farms; empty: none
  bool durable = false;                // Redis writes a log, synced each second, as that of a farm that stands does
  std::filesystem::path staging;       // of the client; removed with the farm, so that a killed client leaves none
};

// redis-server on PATH or where Debian puts it. FAILED_PRECONDITION (machine) with the command that installs it.
absl::StatusOr<std::filesystem::path> FindRedisServer();

// Makes the folder that embedded farms keep what they made in: `named`, else $XDG_CACHE_HOME/slipway, else
// ~/.cache/slipway. One that cannot be written to is an error if `named`; else there is none, and so no cache.
absl::StatusOr<std::filesystem::path> MakeCacheFolder(const std::filesystem::path& named);

// Sockets need a short path; blobs need room, which $XDG_RUNTIME_DIR often lacks.
struct FarmFolders {
  TemporaryFolder sockets, data;
  std::filesystem::path cache;  // empty: the store ends with the farm
  std::filesystem::path store() const { return (cache.empty() ? data.path() : cache) / "store"; }
};

class EmbeddedFarm {
 public:
  // Forks the supervisor and returns at once: the farm starts while the client does something else. Only from a
  // single-threaded process that has not used gRPC.
  static absl::StatusOr<std::unique_ptr<EmbeddedFarm>> Start(const EmbeddedFarmOptions& options);
  ~EmbeddedFarm() { Stop(); }

  // The coordinator's address ("unix:/…") as soon as it serves (with Redis; the worker may still be starting). A farm
  // that cannot start: the error of what failed.
  absl::StatusOr<std::string> WaitReady(absl::Time deadline);
  // After WaitReady: blocks until the farm has failed for good (a process that died more often than it is restarted, or
  // the supervisor) and says why; CANCELLED after Stop(). From any thread.
  absl::Status WaitForFailure();
  // Where its blobs lie, from the start on.
  LocalStoreOptions store() const;
  // Ends every process and removes every file of the farm; returns when that is done. Repeating does nothing. From any
  // thread.
  void Stop();

 private:
  EmbeddedFarm(pid_t supervisor, Channel channel, FarmFolders folders)
      : supervisor_(supervisor), channel_(std::move(channel)), store_(folders.store()), folders_(std::move(folders)) {}
  pid_t supervisor_ = -1;
  Channel channel_;
  const std::filesystem::path store_;
  std::optional<FarmFolders> folders_;  // the supervisor removes them; this one where it could not
  std::atomic<bool> stopped_ = false;
  std::mutex stopping_;
};

}  // namespace slipway
