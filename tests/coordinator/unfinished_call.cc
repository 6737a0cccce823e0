#include "tests/coordinator/unfinished_call.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <vector>

namespace slipway {
namespace {

enum FrameType : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kWindowUpdate = 8 };
constexpr uint8_t kAck = 1, kEndStream = 1, kEndHeaders = 4;
constexpr uint32_t kStream = 1;
constexpr size_t kFrameHead = 9, kMessageHead = 5, kMaxFrame = 16'384;
constexpr uint16_t kInitialWindow = 4;   // a setting
constexpr uint64_t kStride = 256 << 10;  // after which the server shall have read all of it

std::string BigEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

uint32_t Number(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// HPACK: literal, without indexing; neither has 127 bytes or more.
std::string Header(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + BigEndian(name.size(), 1) + name + BigEndian(value.size(), 1) + value;
}

UniqueFd Connect(const Address& server) {
  UniqueFd socket(::socket(server.is_unix() ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un path{.sun_family = AF_UNIX};
  server.path.copy(path.sun_path, sizeof(path.sun_path) - 1);
  sockaddr_in port{.sin_family = AF_INET, .sin_port = htons(server.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const bool connected = server.is_unix()
                             ? connect(socket.get(), reinterpret_cast<const sockaddr*>(&path), sizeof(path)) == 0
                             : connect(socket.get(), reinterpret_cast<const sockaddr*>(&port), sizeof(port)) == 0;
  if (!connected) socket.Reset();
  return socket;
}

}  // namespace

UnfinishedCall::UnfinishedCall(const Address& server, const std::string& method, uint32_t bytes,
                               const std::string& token)
    : socket_(Connect(server)), bytes_(kMessageHead + bytes), left_(bytes_) {
  out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  Settings();
  std::string headers = Header(":method", "POST") + Header(":scheme", "http") + Header(":path", method) +
                        Header(":authority", "farm") + Header("content-type", "application/grpc") +
                        Header("te", "trailers");
  if (!token.empty()) headers += Header("authorization", "Bearer " + token);
  Frame(kHeaders, kEndHeaders, kStream, headers);
}

void UnfinishedCall::Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  out_ += BigEndian(payload.size(), 3) + BigEndian(type, 1) + BigEndian(flags, 1) + BigEndian(stream, 4) + payload;
}

void UnfinishedCall::Settings() {
  Frame(kSettings, 0, 0, "");
  awaiting_ = true;
}

void UnfinishedCall::Fill() {
  while (!ended() && !awaiting_ && left_ > 1 && out_.size() < 8 * kMaxFrame) {
    const int64_t size = std::min(
        {static_cast<int64_t>(left_ - 1), connection_window_, stream_window_, static_cast<int64_t>(kMaxFrame)});
    if (size <= 0 || (left_ == bytes_ && size < static_cast<int64_t>(kMessageHead))) return;
    std::string payload(size, 'x');
    if (left_ == bytes_) payload.replace(0, kMessageHead, BigEndian(0, 1) + BigEndian(bytes_ - kMessageHead, 4));
    Frame(kData, 0, kStream, payload);
    if (left_ / kStride != (left_ - size) / kStride) Settings();
    left_ -= size;
    connection_window_ -= size;
    stream_window_ -= size;
  }
}

void UnfinishedCall::Write() {
  const ssize_t sent = send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) out_.erase(0, sent);
}

void UnfinishedCall::Receive() {
  char buffer[16'384];
  const ssize_t size = recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (size <= 0) return socket_.Reset();  // it was readable: it is closed
  in_.append(buffer, size);
  while (in_.size() >= kFrameHead && in_.size() >= kFrameHead + Number(std::string_view(in_).substr(0, 3))) {
    const std::string_view head = std::string_view(in_).substr(0, kFrameHead);
    const uint32_t length = Number(head.substr(0, 3)), stream = Number(head.substr(5)) & 0x7fffffff;
    Obey(static_cast<uint8_t>(head[3]), static_cast<uint8_t>(head[4]), stream, in_.substr(kFrameHead, length));
    in_.erase(0, kFrameHead + length);
  }
}

void UnfinishedCall::Obey(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  if (type == kWindowUpdate) {
    (stream == 0 ? connection_window_ : stream_window_) += Number(payload);
  } else if (type == kSettings && (flags & kAck) != 0) {
    awaiting_ = false;
  } else if (type == kSettings) {
    for (size_t i = 0; i + 6 <= payload.size(); i += 6) {
      if (Number(payload.substr(i, 2)) != kInitialWindow) continue;
      const int64_t window = Number(payload.substr(i + 2, 4));
      stream_window_ += window - initial_window_;
      initial_window_ = window;
    }
    Frame(kSettings, kAck, 0, "");
  } else if (type == kPing && (flags & kAck) == 0) {
    Frame(kPing, kAck, 0, payload);
  } else if (type == kReset || (type == kHeaders && (flags & kEndStream) != 0)) {
    ended_ = true;
  }
}

void UnfinishedCall::Send(std::span<UnfinishedCall> calls, int patience_ms) {
  while (true) {
    std::vector<UnfinishedCall*> open;
    std::vector<pollfd> sockets;
    bool settled = true;
    for (UnfinishedCall& call : calls) {
      if (!call.socket_.valid()) continue;
      call.Fill();
      settled &= call.ended_ || (call.left_ == 1 && call.out_.empty());
      open.push_back(&call);
      sockets.push_back({.fd = call.socket_.get(),
                         .events = static_cast<short>(call.out_.empty() ? POLLIN : POLLIN | POLLOUT),
                         .revents = 0});
    }
    if (settled || poll(sockets.data(), sockets.size(), patience_ms) <= 0) return;
    for (size_t i = 0; i < open.size(); ++i) {
      if ((sockets[i].revents & POLLOUT) != 0) open[i]->Write();
      if ((sockets[i].revents & ~POLLOUT) != 0) open[i]->Receive();
    }
  }
}

}  // namespace slipway
