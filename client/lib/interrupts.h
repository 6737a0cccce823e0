// Ctrl-C, SIGTERM, SIGHUP and --timeout as calls on threads of their own.
#pragma once

#include <functional>
#include <thread>

#include "absl/time/time.h"

namespace slipway {

class Interrupts {
 public:
  // Holds the signals back in this and every later thread. Call before any thread starts; they wait until Start().
  static void Block();

  // `first` runs at the first signal, `second` at the second (it should not return), `late` once at `deadline`; none waits for another, and
  // Stop waits for all.
  void Start(std::function<void()> first, std::function<void()> second, std::function<void()> late,
             absl::Time deadline);
  void Stop();
  ~Interrupts() { Stop(); }

 private:
  std::jthread thread_;
};

}  // namespace slipway
