#include "tests/store/lender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "common/base/error.h"

namespace slipway {
namespace {

// Head and as much body as it announces.
std::string ReadRequest(int connection) {
  std::string request;
  for (size_t wanted = std::string::npos; request.size() < wanted;) {
    char buffer[4096];
    const ssize_t count = ::read(connection, buffer, sizeof(buffer));
    if (count <= 0) break;
    request.append(buffer, count);
    const size_t head = request.find("\r\n\r\n"), length = request.find("Content-Length: ");
    if (head != request.npos) wanted = head + 4 + (length < head ? std::stoul(request.substr(length + 16)) : 0);
  }
  return request;
}

}  // namespace

Lender::Lender() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), any, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), any, &size) != 0)
    throw std::runtime_error("no listener");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

Lender::~Lender() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

std::string Lender::url() const { return fmt::format("http://127.0.0.1:{}/lend", port_); }

void Lender::Answer(int status, std::string body) {
  std::lock_guard lock(mutex_);
  answers_.emplace_back(status, std::move(body));
}

std::vector<std::string> Lender::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void Lender::Serve() {
  while (true) {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    std::string request = ReadRequest(connection.get());
    std::pair<int, std::string> answer{500, ""};
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
      if (!answers_.empty()) {
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
    }
    const std::string reply = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                                          answer.first, answer.second.size(), answer.second);
    (void)!::write(connection.get(), reply.data(), reply.size());
  }
}

}  // namespace slipway
