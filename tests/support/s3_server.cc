#include "tests/support/s3_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/store/s3/http.h"

namespace slipway {
namespace {

std::string Variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// Reads the log up to the line that names the address.
int PortFromLog(int log) {
  constexpr std::string_view kBefore = "http://127.0.0.1:";
  std::string text;
  while (true) {
    size_t found = text.find(kBefore);
    if (found != text.npos && text.find('/', found + kBefore.size()) != text.npos)
      return std::stoi(text.substr(found + kBefore.size()));
    char buffer[4096];
    ssize_t count = ::read(log, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw std::runtime_error("rclone serve s3 ended: " + text);
    text.append(buffer, count);
  }
}

}  // namespace

S3Server::S3Server() : bucket_("slipway-test-" + RandomHex(8)) {
  const std::string given = Variable("SLIPWAY_S3_ENDPOINT", "");
  if (given.empty()) {
    StartRclone();
  } else {
    port_ = std::stoi(given.substr(given.rfind(':') + 1));
  }
  s3::HttpClient http(absl::Seconds(10));
  std::string host = fmt::format("127.0.0.1:{}", port_);
  s3::SignableRequest request{.method = "PUT", .host = host, .path = "/" + bucket_};
  absl::StatusOr<s3::HttpResponse> made =
      http.Send({.method = "PUT",
                 .url = "http://" + host + request.path,
                 .headers = s3::SignedHeaders(request, credentials(), "us-east-1", absl::Now())});
  if (!made.ok() || made->status != 200)
    throw std::runtime_error("no bucket: " + (made.ok() ? made->body : Message(made.status())));
}

void S3Server::StartRclone() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  if (python == nullptr) throw std::runtime_error("SLIPWAY_PYTHON is not set");
  std::string rclone = std::filesystem::path(python).parent_path() / "rclone";
  std::string key = credentials().access_key + "," + credentials().secret_key;
  int log[2];
  if (::pipe2(log, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(log[1], 1);
    ::dup2(log[1], 2);
    ::execl(rclone.c_str(), "rclone", "serve", "s3", ":memory:", "--config", "/dev/null", "--addr", "127.0.0.1:0",
            "--auth-key", key.c_str(), nullptr);
    ::dprintf(2, "cannot execute %s\n", rclone.c_str());
    ::_exit(127);
  }
  ::close(log[1]);
  log_.Reset(log[0]);
  port_ = PortFromLog(log_.get());
}

S3Server::~S3Server() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

s3::Credentials S3Server::credentials() {
  return {Variable("SLIPWAY_S3_KEY", "SLIPWAYTESTKEY"), Variable("SLIPWAY_S3_SECRET", "slipway-test-secret"),
          Variable("SLIPWAY_S3_TOKEN", "")};
}

S3Options S3Server::options() const {
  S3Options options;
  options.endpoint = fmt::format("http://127.0.0.1:{}", port_);
  options.bucket = bucket_;
  options.prefix = "farm/";
  options.first_backoff = absl::Milliseconds(1);
  options.longest_backoff = absl::Milliseconds(20);
  options.part_bytes = 5 << 20;  // S3's least
  options.read_bytes = 256 << 10;
  return options;
}

std::string S3Server::url() const {
  return fmt::format("s3://{}/farm?endpoint=http://127.0.0.1:{}&region=us-east-1", bucket_, port_);
}

std::map<std::string, std::string> S3Server::environment() {
  return {{"AWS_ACCESS_KEY_ID", credentials().access_key},
          {"AWS_SECRET_ACCESS_KEY", credentials().secret_key},
          {"AWS_SESSION_TOKEN", credentials().session_token}};
}

}  // namespace slipway
