// What the user sees while a request runs: a live table on a terminal, plain lines otherwise, or JSON events.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace slipway {

// A cell as it stands; without target: the model's preparation.
struct CellLine {
  std::string model, target, precision;
  std::string state;     // "ready", "running", "passed", "failed", …
  std::string progress;  // "converting", "judging"; "" if unknown
  std::string reason;    // one line; "" if none
  std::string worker;
  int attempts = 0;
  bool ended = false;
  std::vector<std::string> warnings;  // of an ended preparation: what may be other than meant, a line each
  // Of ended cells, where known:
  std::optional<double> max_error;  // largest absolute difference of any output
  std::optional<uint64_t> bytes;    // of the artifact
  std::optional<double> ms;         // the farm's work
  std::string path;                 // main file or folder, relative to the output folder
};

struct RunEnd {
  int exit_code = 0;
  std::string error;     // one line; "" when the request ended by its cells
  std::string manifest;  // path as the user can open it; "" when none was written
  double seconds = 0;
  std::vector<CellLine> cells;  // in the manifest's order
};

// Thread-safe. One call after another.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void Started(const std::string& request_id, size_t cells) = 0;
  virtual void Changed(const CellLine& cell) = 0;
  // A line for people: on stderr, and no part of what programs read.
  virtual void Note(const std::string& line) = 0;
  virtual void Finished(const RunEnd& end) = 0;
};

// JSON events on `out`; or for people: redrawn in place when `out` is a terminal, else a line for each change of state.
std::unique_ptr<Reporter> MakeJsonReporter(std::FILE* out);
std::unique_ptr<Reporter> MakeLineReporter(std::FILE* out);
std::unique_ptr<Reporter> MakeLiveReporter(std::FILE* out, bool colour);
std::unique_ptr<Reporter> MakeReporter(std::FILE* out, bool json);

}  // namespace slipway
