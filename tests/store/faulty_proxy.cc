#include "tests/store/faulty_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace slipway {
namespace {

constexpr size_t kTruncatedAt = 900;  // beyond the head of a GET's answer

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// False at the connection's end.
bool Forward(int from, int to, size_t& left) {
  char buffer[65536];
  ssize_t count = ::recv(from, buffer, std::min(sizeof(buffer), left), 0);
  if (count <= 0) return false;
  left -= count;
  for (ssize_t sent = 0; sent < count;) {
    ssize_t now = ::send(to, buffer + sent, count - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return left > 0;
}

// Passes one request on and answers with what `spoil` makes of the answer's head and body.
void Falsify(int client, int server, const std::function<void(std::string& head, std::string& body)>& spoil) {
  std::string asked, head;
  char buffer[65536];
  pollfd waiting[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
  size_t end = head.npos;
  // Up to the end of the answer's head; then its body.
  while (end == head.npos) {
    ::poll(waiting, 2, -1);
    if (waiting[0].revents != 0) {
      ssize_t count = ::recv(client, buffer, sizeof(buffer), 0);
      if (count <= 0 || ::send(server, buffer, count, MSG_NOSIGNAL) != count) return;
      asked.append(buffer, count);
    }
    if (waiting[1].revents != 0) {
      ssize_t count = ::recv(server, buffer, sizeof(buffer), 0);
      if (count <= 0) return;
      head.append(buffer, count);
      end = head.find("\r\n\r\n");
    }
  }
  std::string body = head.substr(end + 4);
  head.resize(end + 4);
  size_t length = 0;
  if (const size_t at = head.find("Content-Length: "); at != head.npos && !asked.starts_with("HEAD "))
    length = std::stoull(head.substr(at + 16));
  while (body.size() < length) {
    ssize_t count = ::recv(server, buffer, sizeof(buffer), 0);
    if (count <= 0) return;
    body.append(buffer, count);
  }
  if (!body.empty()) spoil(head, body);
  const std::string answer = head + body;
  for (size_t sent = 0; sent < answer.size();) {
    ssize_t now = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return;
    sent += now;
  }
}

}  // namespace

FaultyProxy::FaultyProxy(int server_port)
    : server_port_(server_port),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("no listening socket");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FaultyProxy::~FaultyProxy() {
  ::eventfd_write(stop_.get(), 1);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
}

void FaultyProxy::Set(std::deque<Fault> faults, Fault rest) {
  std::lock_guard lock(mutex_);
  faults_ = std::move(faults);
  rest_ = rest;
}

void FaultyProxy::Accept() {
  while (true) {
    pollfd waiting[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    ::poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
    int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    ++connections_;
    Fault fault;
    {
      std::lock_guard lock(mutex_);
      fault = faults_.empty() ? rest_ : faults_.front();
      if (!faults_.empty()) faults_.pop_front();
    }
    threads_.emplace_back([this, client, fault] { Serve(client, fault); });
  }
}

void FaultyProxy::Serve(int client, Fault fault) {
  UniqueFd client_end(client);
  pollfd waiting[3] = {{client, POLLIN, 0}, {stop_.get(), POLLIN, 0}, {-1, POLLIN, 0}};
  if (fault == Fault::kCut || fault == Fault::kBusy || fault == Fault::kError || fault == Fault::kHang) {
    ::poll(waiting, 2, -1);
    char buffer[65536];
    ssize_t got = ::recv(client, buffer, sizeof(buffer), 0);
    if (got <= 0 || fault == Fault::kCut) return;
    if (fault == Fault::kHang) {
      // Until the client gives up.
      while (waiting[1].revents == 0 && ::recv(client, buffer, sizeof(buffer), MSG_DONTWAIT) != 0) {
        waiting[0].events = POLLIN | POLLRDHUP;
        ::poll(waiting, 2, -1);
      }
      return;
    }
    std::string body = fault == Fault::kBusy ? "<Error><Code>SlowDown</Code><Message>Later.</Message></Error>" : "";
    std::string answer = std::string("HTTP/1.1 ") + (fault == Fault::kBusy ? "503 Slow Down" : "500 Internal") +
                         "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::shutdown(client, SHUT_WR);
    while (::recv(client, buffer, sizeof(buffer), 0) > 0) {
    }
    return;
  }
  UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(server_port_);
  if (::connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
  if (fault == Fault::kDamage) {
    return Falsify(client, server.get(),
                   [this](std::string&, std::string& body) { body[damaged_++ % body.size()] ^= 1; });
  }
  if (fault == Fault::kShorten) {
    return Falsify(client, server.get(), [](std::string& head, std::string& body) {
      const std::string before = fmt::format("Content-Length: {}\r\n", body.size());
      body.pop_back();
      head.replace(head.find(before), before.size(), fmt::format("Content-Length: {}\r\n", body.size()));
    });
  }
  waiting[2].fd = server.get();
  size_t up = SIZE_MAX, down = fault == Fault::kTruncate ? kTruncatedAt : SIZE_MAX;
  while (true) {
    ::poll(waiting, 3, -1);
    if (waiting[1].revents != 0) return;
    if (waiting[0].revents != 0 && !Forward(client, server.get(), up)) return;
    if (waiting[2].revents != 0 && !Forward(server.get(), client, down)) return;
  }
}

}  // namespace slipway
