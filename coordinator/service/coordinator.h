// A coordinator: the API's services over a queue and a store, a health service beside them, and the thread that maintains the queue.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/queue/queue.h"
#include "common/rpc/security.h"
#include "common/store/store.h"

namespace slipway {

struct CoordinatorOptions {
  std::vector<std::string> listen;  // "unix:/path" or "host:port", port 0 for any free one; at least one
  std::string health_listen;        // grpc.health.v1 alone, for probes; empty: none
  TlsFiles tls;                     // of TCP addresses; with `ca`, callers must show a certificate. Empty: plain text
  std::string tokens;               // file of those who may call (common/access/tokens.h); empty: whoever gets through
  std::string audit_log;            // file that gets a line a call (audit_log.h); empty: none
  bool insecure = false;            // allow plain text, and callers without credentials, where other machines reach it
  std::string shard = "0";          // begins the ids of new requests
  absl::Duration maintain_every = absl::Milliseconds(500);
  size_t max_waiting_calls = 1000;   // more are RESOURCE_EXHAUSTED, and told when to come again
  size_t receive_bytes = 512 << 20;  // that have come and are not taken yet, of all callers; above, calls are ended
};

// Keeps no state of its own: any number may serve one queue and store, and killing one loses nothing.
class Coordinator {
 public:
  // What Start would refuse by `options` and the files that they name, before queue and store are there.
  static absl::Status Check(const CoordinatorOptions& options);
  // Serves once it returns. INVALID_ARGUMENT (usage): an address is malformed, or open to other machines without encryption or credentials, or files of TLS, tokens or the audit log are of no
  // use; UNAVAILABLE: an address cannot be listened on. Borrows queue and store, which must outlive it.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Start(const CoordinatorOptions& options, Queue& queue,
                                                            Store& store);
  virtual ~Coordinator() = default;  // stops, without grace

  // Where it listens, with real ports, in the order of `listen`.
  virtual const std::vector<std::string>& addresses() const = 0;
  virtual const std::string& health_address() const = 0;

  // Reads the tokens now if they have changed, and opens the audit log anew.
  virtual void Reload() = 0;
  // Takes no new calls, sends watchers to another coordinator, gives calls under way `grace` to end, then cancels them. Once.
  virtual void Stop(absl::Duration grace) = 0;
};

}  // namespace slipway
