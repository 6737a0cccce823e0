// A proxy on loopback that spoils connections on their way to a server.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/file.h"

namespace slipway {

enum class Fault {
  kNone,
  kCut,       // closed once the request arrived
  kBusy,      // 503 SlowDown
  kError,     // 500
  kTruncate,  // the answer's head and a few bytes, then closed
  kHang,      // nothing is ever answered
  kDamage,    // a bit of the answer's body is another, each time another bit; nothing else shows it
  kShorten,   // the answer's body, and the length that its head says, lack the last byte
};

class FaultyProxy {
 public:
  explicit FaultyProxy(int server_port);
  ~FaultyProxy();
  int port() const { return port_; }
  // Each new connection takes the next fault; when none is left, `rest` holds.
  void Set(std::deque<Fault> faults, Fault rest = Fault::kNone);
  int connections() const { return connections_; }

 private:
  void Accept();
  void Serve(int client, Fault fault);

  const int server_port_;
  int port_ = 0;
  UniqueFd listener_;
  UniqueFd stop_;  // an eventfd
  std::mutex mutex_;
  std::deque<Fault> faults_;
  Fault rest_ = Fault::kNone;
  std::atomic<int> connections_ = 0, damaged_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace slipway
