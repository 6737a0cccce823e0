// What a daemon counts, for Prometheus. A metric is a constant beside the code that it tells about:
//
//   const metrics::Counter kReturned("slipway_worker_tasks_returned_total", "Tasks given back, by why.", {"why"});
//   …
//   kReturned.Add({"drained"});
//
// Until Server::Start nothing is counted and a call costs one load. docs/operations.md lists every metric; a test
// compares it with the tree.
#pragma once

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace slipway::metrics {

using Labels = std::initializer_list<const char*>;
using Values = std::initializer_list<std::string_view>;

// Whether anything is counted in this process.
inline std::atomic<bool> enabled = false;
inline bool Enabled() { return enabled.load(std::memory_order_relaxed); }

// One name with its series. Made at namespace scope: names and helps are string literals. Names follow Prometheus: _total of
// counters, else the base unit (_seconds, _bytes). Thread-safe. `values` are as many as the labels. A family has at most
// kMostSeries series: what comes after goes to one whose values are all "other".
class Family {
 public:
  static constexpr size_t kMostSeries = 200;
  enum class Type { kCounter, kGauge, kHistogram };

  Family(Type type, const char* name, const char* help, Labels labels);
  Family(const Family&) = delete;
  ~Family();

  void Add(Values values, double by) const;
  void Set(Values values, double value) const;
  void Observe(Values values, double value) const;
  void Clear() const;

  struct State;

 private:
  friend class Server;
  std::unique_ptr<State> state_;
};

class Counter {
 public:
  Counter(const char* name, const char* help, Labels labels = {})
      : family_(Family::Type::kCounter, name, help, labels) {}
  void Add(Values values = {}, double by = 1) const {
    if (Enabled()) family_.Add(values, by);
  }

 private:
  const Family family_;
};

class Gauge {
 public:
  Gauge(const char* name, const char* help, Labels labels = {}) : family_(Family::Type::kGauge, name, help, labels) {}
  void Add(Values values, double by) const {
    if (Enabled()) family_.Add(values, by);
  }
  void Set(Values values, double value) const {
    if (Enabled()) family_.Set(values, value);
  }
  // Forgets every series: before those that there are now are set.
  void Clear() const {
    if (Enabled()) family_.Clear();
  }

 private:
  const Family family_;
};

// Of durations: buckets from 0.1 ms to 10 minutes.
class Histogram {
 public:
  Histogram(const char* name, const char* help, Labels labels = {})
      : family_(Family::Type::kHistogram, name, help, labels) {}
  void Observe(Values values, absl::Duration duration) const {
    if (Enabled()) family_.Observe(values, absl::ToDoubleSeconds(duration));
  }
  // The time of now, for Since(); costs nothing while nothing is counted.
  static absl::Time Now() { return Enabled() ? absl::Now() : absl::UnixEpoch(); }
  void Since(absl::Time start, Values values) const {
    if (Enabled()) Observe(values, absl::Now() - start);
  }

 private:
  const Family family_;
};

// Serves them on http://ADDRESS/metrics until it is destroyed, with threads of its own: start it after the last fork.
class Server {
 public:
  // HOST:PORT, port 0 for any free one. INVALID_ARGUMENT (usage): malformed; UNAVAILABLE: it cannot be listened on;
  // FAILED_PRECONDITION: libcivetweb is not installed. One a process.
  // `version` becomes slipway_build_info.
  static absl::StatusOr<std::unique_ptr<Server>> Start(std::string_view address, std::string_view version);
  ~Server();

  const std::string& address() const { return address_; }  // with the real port
  // `refresh` sets gauges before each scrape; on one of the server's threads, one at a time.
  void OnScrape(std::function<void()> refresh);

 private:
  class Impl;
  Server(std::string address, std::unique_ptr<Impl> impl);

  std::string address_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::metrics
