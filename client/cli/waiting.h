// Says which of a request's tasks wait for a worker that the farm does not have.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>

#include "client/lib/farm_client.h"
#include "client/report/reporter.h"

namespace slipway::cli {

// Tasks that could run now, by class.
using WaitingTasks = std::map<std::string, size_t>;

// "no worker offers litert: 3 tasks wait; ncnn+8g: 1 task waits"; where there is none at all, "no worker is connected: 4
// tasks wait", or "no worker has been heard of for a minute: …"; "" when every class is offered. Workers that fell silent do not count.
std::string Unserved(const WaitingTasks& waiting, std::span<const v1::Worker> workers);
// Of these the classes that nobody offers.
WaitingTasks UnservedOnly(const WaitingTasks& waiting, std::span<const v1::Worker> workers);
// Of ready cells.
WaitingTasks Waiting(std::span<const v1::Cell> cells);

// While a request is watched: looks after two seconds, then ever more rarely, at least once a minute, as long as cells wait, and
// notes what changed.
class WaitingNotice {
 public:
  // Borrows both.
  WaitingNotice(FarmClient& farm, Reporter& reporter);
  ~WaitingNotice();
  // From the watching thread.
  void Saw(const v1::Cell& cell);

 private:
  void Run(const std::stop_token& stop);

  FarmClient& farm_;
  Reporter& reporter_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<uint32_t, std::string> ready_;  // index → class
  std::jthread thread_;                    // last: it uses all of the above
};

}  // namespace slipway::cli
