// Judge hosts: warm, jailed Python processes with one runtime each, lent to one child at a time.
#pragma once

#include <filesystem>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/channel.h"
#include "worker/daemon/scratch.h"
#include "worker/daemon/zygote.h"

namespace slipway {

struct HostPoolOptions {
  std::filesystem::path python;  // an interpreter with the runtimes; a bare name is looked up in PATH
  bool require_jail = true;
  uint64_t max_memory = 0;  // bytes of each; 0: unlimited
  absl::Duration start_timeout =
      absl::Seconds(60);  // until a host says hello; importing a runtime on a busy machine takes seconds
  int max_uses = 200;     // loans of one host before it is replaced
};

// `program` as an absolute path: a bare name as PATH finds it.
std::filesystem::path FindInPath(const std::filesystem::path& program);

// What a host of `python` may read: the system's libraries, its virtual environment, the interpreter's own prefix, the host scripts
// that `argv` names. (Not the worker's scratch: see JailOptions::openable.)
std::vector<std::filesystem::path> HostReadable(const std::filesystem::path& python,
                                                const std::vector<std::string>& argv);

// Thread-safe. A host belongs to the tenant that it was first lent to: what a hostile model did to it stays with that tenant.
class HostPool {
 public:
  // `zygote` and `scratch` outlive the pool; OnExit is to be called for every process of the zygote that ended.
  HostPool(Zygote& zygote, const WorkerScratch& scratch, HostPoolOptions options);

  // Starts a host of each runtime and returns at once; they get ready by themselves. One whose runtime is missing is only logged.
  void Prewarm(const std::vector<std::string>& runtimes);

  struct Loan {
    uint64_t id = 0;
    int connection = -1;  // the pool's; valid until Return
  };
  // Blocks until a host is there and has said hello. NOT_FOUND: this machine has no such runtime (known for a minute without trying
  // again). UNAVAILABLE: it died or did not answer; another may do better.
  absl::StatusOr<Loan> Lend(std::string_view runtime, std::string_view tenant);
  // Ends a loan. A host whose borrower died in the middle, or who says that it is broken, is killed. Returns how one that had ended by itself did so: "the ncnn judge
  // was killed by SIGSEGV: …", else "".
  std::string Return(uint64_t id, bool healthy);
  // Forgets a host that ended; an idle one that had worked is replaced, so that the next loan finds a warm one.
  void OnExit(const ProcessExit& exit);

 private:
  struct Host {
    uint64_t id = 0;
    std::string runtime, tenant;
    Channel connection;
    Errors errors;
    std::filesystem::path scratch;
    int uses = 0;
    bool lent = false;
    bool dead = false;
    bool worked = false;  // has said hello at least once
  };
  using Hosts = std::list<Host>;

  absl::StatusOr<Hosts::iterator> Spawn(const std::string& runtime);  // mutex_ held
  void Drop(Hosts::iterator host);                                    // mutex_ held; kills it
  absl::Status Greet(Host& host);
  absl::Status WhyDead(Host& host);

  Zygote& zygote_;
  const WorkerScratch& scratch_;
  const HostPoolOptions options_;
  std::mutex mutex_;
  Hosts hosts_;
  std::map<std::string, std::pair<absl::Time, std::string>, std::less<>> missing_;  // until when, why
};

}  // namespace slipway
