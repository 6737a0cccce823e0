// A bucket of its own for one test, on a real S3 server: rclone's, of the Python environment the tests run in, with its
// objects in memory; or the one at SLIPWAY_S3_ENDPOINT, whose keys are SLIPWAY_S3_KEY, SLIPWAY_S3_SECRET and
// SLIPWAY_S3_TOKEN (tests/support/radosgw.py sets them).
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "common/store/s3/s3_store.h"

namespace slipway {

// rclone is killed with the test's process, and on destruction. Every signature is checked.
class S3Server {
 public:
  // Its bucket is empty once this returns; the test fails otherwise, by an exception.
  S3Server();
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  // For quick tests: small parts and reads, short backoff.
  S3Options options() const;
  static s3::Credentials credentials();
  // The same as --store takes it, and the variables with its credentials.
  std::string url() const;
  static std::map<std::string, std::string> environment();
  int port() const { return port_; }
  // rclone's empties an object that is written again before it fills it.
  bool replaces_at_once() const { return pid_ < 0; }

 private:
  void StartRclone();

  pid_t pid_ = -1;
  int port_ = 0;
  std::string bucket_;
  UniqueFd log_;  // its end would end the server
};

}  // namespace slipway
