// What a piece of work costs when it is done by processes of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

struct Cost {
  double wall_s = 0;
  double cpu_s = 0;           // of every process of the tree, user and system
  double peak_anon_mb = 0;    // MiB; all processes of the tree together
  double peak_mapped_mb = 0;  // of files, in memory
};

// Runs `body` in a forked child and waits until it and everything that it started has ended; body's result is the child's
// exit status. FAILED_PRECONDITION when that is not 0. Memory is sampled each half millisecond. Only from a process
// that has no other children and one thread.
absl::StatusOr<Cost> MeasureProcesses(const std::function<int()>& body);

// The same for a command, found on PATH unless a path is given; its output goes to `log`, whose last line the error has.
absl::StatusOr<Cost> MeasureCommand(const std::vector<std::string>& arguments, const std::string& log);

// Field by field, that of `costs`, which are not none.
Cost MedianOf(const std::vector<Cost>& costs);
double Median(std::vector<double> values);

}  // namespace slipway
