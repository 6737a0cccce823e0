// A TCP proxy before a Unix socket, which can fall silent as a host that hangs or a network that drops what it carries.
#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/file.h"

namespace slipway {

class SilentProxy {
 public:
  // `socket`: "unix:/path".
  explicit SilentProxy(std::string_view socket);
  ~SilentProxy();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }  // that were ever made
  int pings() const { return pings_; }              // HTTP/2's, that clients have sent

  // Nothing passes any more on the connections that stand, and none of them is closed; later ones pass, or do not.
  void SilenceThoseThatStand() { Silence(false); }
  void SilenceAll() { Silence(true); }

 private:
  struct Pair {
    UniqueFd client, server;
  };
  void Silence(bool later_ones);
  void Run();
  void Accept();
  // False when the connection has ended.
  bool Pass(int from, int to, bool from_client);

  const std::string socket_;
  UniqueFd listener_, stop_;  // stop_: an eventfd
  int port_ = 0;
  std::atomic<int> connections_ = 0, pings_ = 0;
  std::mutex mutex_;
  std::list<Pair> pairs_, silenced_;
  bool silent_ = false;
  std::thread thread_;
};

}  // namespace slipway
