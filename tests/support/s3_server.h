// A real S3 server for one test: rclone's, of the Python environment the tests run in, with its objects in memory.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "common/store/s3/s3_store.h"

namespace slipway {

// Killed with the test's process, and on destruction. It checks every signature.
class S3Server {
 public:
  // Serves an empty bucket once this returns; the test fails otherwise, by an exception.
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

 private:
  pid_t pid_ = -1;
  int port_ = 0;
  UniqueFd log_;  // its end would end the server
};

}  // namespace slipway
