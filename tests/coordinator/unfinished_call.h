// Calls whose message never comes whole: HTTP/2 by hand, by the rules. What a server holds of them it holds for as long as they like.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/base/file.h"
#include "common/rpc/address.h"

namespace slipway {

class UnfinishedCall {
 public:
  // Connects, to plain text. One message of `bytes`, of which the last is never sent; with `token` unless it is "".
  UnfinishedCall(const Address& server, const std::string& method, uint32_t bytes, const std::string& token = "");

  // Sends what the server lets them, until each is at its last byte or has been ended, or none has got further for `patience_ms`.
  static void Send(std::span<UnfinishedCall> calls, int patience_ms);

  // By the server, or its whole connection.
  bool ended() const { return ended_ || !socket_.valid(); }
  uint64_t sent() const { return bytes_ - left_; }

 private:
  void Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload);
  void Settings();  // empty: the answer tells that all before them was read
  void Fill();      // out_, as windows allow
  void Write();
  void Receive();  // and obeys
  void Obey(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload);

  UniqueFd socket_;
  std::string out_, in_;
  const uint64_t bytes_;  // with the message's head
  uint64_t left_;
  int64_t connection_window_ = 65535, stream_window_ = 65535, initial_window_ = 65535;
  bool awaiting_ = false, ended_ = false;
};

}  // namespace slipway
