// A small HTTP server on loopback that lends credentials, as an STS or a container's endpoint would.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/file.h"

namespace slipway {

class Lender {
 public:
  Lender();
  ~Lender();
  std::string url() const;
  // Answers of the next requests, in order: status and body. Without any, 500.
  void Answer(int status, std::string body);
  // The requests that came, each with head and body.
  std::vector<std::string> requests() const;

 private:
  void Serve();

  UniqueFd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::deque<std::pair<int, std::string>> answers_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace slipway
