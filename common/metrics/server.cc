#include <arpa/inet.h>
#include <civetweb.h>
#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <fstream>
#include <mutex>
#include <thread>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/metrics/metrics.h"
#include "common/metrics/text.h"

namespace slipway::metrics {
namespace {

constexpr char kLibrary[] = "libcivetweb.so.1";
constexpr char kThreads[] = "2";
constexpr char kPatienceMilliseconds[] = "5000";  // with a silent client

const Gauge kBuild("slipway_build_info", "1; the label says which version runs.", {"version"});
// Named as Prometheus' own client libraries name them.
const Gauge kResident("process_resident_memory_bytes", "Resident memory of this process.");
const Counter kProcessor("process_cpu_seconds_total", "Processor time of this process, user and system.");
const Gauge kStarted("process_start_time_seconds", "When metrics were first served, in seconds since 1970.");

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// civetweb listens on IP addresses only.
absl::StatusOr<std::string> ListenTarget(std::string_view address) {
  const size_t colon = address.rfind(':');
  const std::string_view port_text = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  int port = -1;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error == std::errc() && end == port_text.data() + port_text.size() && port >= 0 && port <= 65535) {
    std::string host(address.substr(0, colon));
    if (host == "localhost") host = "127.0.0.1";
    in6_addr ignored;
    const bool six = host.size() > 2 && host.front() == '[' && host.back() == ']' &&
                     inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &ignored) == 1;
    if (six || inet_pton(AF_INET, host.c_str(), &ignored) == 1) return fmt::format("{}:{}", host, port);
  }
  return WithKind(InvalidArgument("--metrics-listen {}: must be an IP address and a port, such as 127.0.0.1:9464 or "
                                  "[::]:9464",
                                  address),
                  ErrorKind::kUsage);
}

// civetweb, loaded when metrics are first served: few processes do.
struct Web {
  decltype(&mg_init_library) init_library;
  decltype(&mg_start) start;
  decltype(&mg_stop) stop;
  decltype(&mg_set_request_handler) set_request_handler;
  decltype(&mg_get_server_ports) get_server_ports;
  decltype(&mg_get_request_info) get_request_info;
  decltype(&mg_write) write;
};

absl::StatusOr<Web> LoadWeb() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) return FailedPrecondition("{}: install libcivetweb1 to serve metrics", dlerror());
  Web web{};
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  const bool whole = find(web.init_library, "mg_init_library") && find(web.start, "mg_start") &&
                     find(web.stop, "mg_stop") && find(web.set_request_handler, "mg_set_request_handler") &&
                     find(web.get_server_ports, "mg_get_server_ports") &&
                     find(web.get_request_info, "mg_get_request_info") && find(web.write, "mg_write");
  if (!whole) return FailedPrecondition("{} lacks a function: {}", kLibrary, dlerror());
  web.init_library(0);
  return web;
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(const Web& web) : web_(web) {}
  // civetweb sees that it is told to stop when its two seconds' wait for a caller ends: so one calls.
  ~Impl() {
    if (context_ == nullptr) return;
    std::atomic<bool> stopped = false;
    std::jthread caller([&] {
      for (; !stopped; std::this_thread::sleep_for(std::chrono::milliseconds(2))) Call();
    });
    web_.stop(context_);  // joins its threads
    stopped = true;
  }

  absl::Status Listen(const std::string& target) {
    const char* options[] = {"listening_ports",    target.c_str(),        "num_threads", kThreads,
                             "request_timeout_ms", kPatienceMilliseconds, nullptr};
    mg_callbacks silent{};
    silent.log_message = [](const mg_connection*, const char*) { return 1; };  // else on stderr, in a form of its own
    context_ = web_.start(&silent, this, options);
    if (context_ == nullptr) return Unavailable("nobody listens");
    web_.set_request_handler(context_, "/", &Impl::Answer, this);
    mg_server_port port{};
    if (web_.get_server_ports(context_, 1, &port) == 1) port_ = static_cast<uint16_t>(port.port);
    host_ = target.substr(0, target.rfind(':'));
    return absl::OkStatus();
  }

  uint16_t port() const { return port_; }

  void OnScrape(std::function<void()> refresh) {
    std::lock_guard lock(mutex_);
    refreshers_.push_back(std::move(refresh));
  }

 private:
  void Call() const {
    const bool six = host_.front() == '[';
    sockaddr_in6 address6{.sin6_family = AF_INET6, .sin6_port = htons(port_)};
    sockaddr_in address4{.sin_family = AF_INET, .sin_port = htons(port_)};
    if (six) {
      inet_pton(AF_INET6, host_.substr(1, host_.size() - 2).c_str(), &address6.sin6_addr);
    } else {
      inet_pton(AF_INET, host_.c_str(), &address4.sin_addr);
    }
    const auto* address =
        six ? reinterpret_cast<const sockaddr*>(&address6) : reinterpret_cast<const sockaddr*>(&address4);
    const UniqueFd fd(socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connect(fd.get(), address, six ? sizeof(address6) : sizeof(address4));
  }

  static int Answer(mg_connection* connection, void* self) { return static_cast<Impl*>(self)->Answer(connection); }

  int Answer(mg_connection* connection) {
    const mg_request_info& request = *web_.get_request_info(connection);
    if (std::string_view(request.local_uri) != "/metrics") return Send(connection, 404, "Not Found", "only /metrics\n");
    const std::string_view method = request.request_method;
    if (method != "GET" && method != "HEAD") return Send(connection, 405, "Method Not Allowed", "only GET\n");
    std::string text;
    {
      std::lock_guard lock(mutex_);  // between the refresh and the text, no other scrape's refresh
      RefreshProcess();
      for (const auto& refresh : refreshers_) refresh();
      text = ExpositionText();
    }
    return Send(connection, 200, "OK", text, method == "HEAD");
  }

  int Send(mg_connection* connection, int status, std::string_view reason, std::string_view body, bool head = false) {
    const std::string text =
        fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                    reason, kContentType, body.size(), head ? "" : body);
    web_.write(connection, text.data(), text.size());
    return status;
  }

  void RefreshProcess() {
    std::ifstream file("/proc/self/statm");
    double pages = 0, resident = 0;
    if (file >> pages >> resident) kResident.Set({}, resident * static_cast<double>(sysconf(_SC_PAGESIZE)));
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    const double processor = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
    kProcessor.Add({}, processor - processor_);
    processor_ = processor;
  }

  const Web web_;
  mg_context* context_ = nullptr;
  std::string host_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> refreshers_;
  double processor_ = 0;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(std::string_view address, std::string_view version) {
  ASSIGN_OR_RETURN(std::string target, ListenTarget(address));
  ASSIGN_OR_RETURN(const Web web, LoadWeb());
  auto impl = std::make_unique<Impl>(web);
  if (!impl->Listen(target).ok()) {
    return Unavailable("cannot serve metrics on {}: the address is in use, not this machine's, or not permitted",
                       address);
  }
  target = fmt::format("{}:{}", target.substr(0, target.rfind(':')), impl->port());
  enabled = true;
  kBuild.Set({version}, 1);
  kStarted.Set({}, static_cast<double>(absl::ToUnixSeconds(absl::Now())));
  return std::unique_ptr<Server>(new Server(std::move(target), std::move(impl)));
}

Server::Server(std::string address, std::unique_ptr<Impl> impl)
    : address_(std::move(address)), impl_(std::move(impl)) {}

Server::~Server() {
  impl_.reset();
  enabled = false;
}

void Server::OnScrape(std::function<void()> refresh) { impl_->OnScrape(std::move(refresh)); }

}  // namespace slipway::metrics
