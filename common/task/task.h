// What coordinators tell workers and workers answer, as JSON blobs in the store. A request's spec is one blob; each
// ended task's result is one.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/digest.h"

namespace slipway {

struct SpecFile {
  std::string path;  // as the user gave it
  std::string name;  // external data: relative to the model's folder, as the model names it; "" for the main file
  Digest digest;
};

struct SpecModel {
  std::string name;          // names folders and files
  std::string kind;          // "onnx", "checkpoint", "dummy", "noop" (bench)
  std::string architecture;  // checkpoint, dummy
  std::vector<SpecFile> files;
};

// What a model's inputs and outputs shall be; flags of the same names (docs/cli.md, "The model's interface"). Names are
// the source's.
struct InterfaceOptions {
  std::map<std::string, std::vector<int64_t>> shapes;  // input → sizes, applied where the input exists
  std::map<std::string, std::vector<double>> fix;      // input → the constant that it becomes; one value fills it
  std::vector<std::string> cut_inputs, cut_outputs;
  std::vector<double> mean, std;  // one value, or one a channel
  std::optional<double> scale;
  bool softmax = false;
  std::vector<std::string> input_names, output_names;  // of the artifact, in the graph's order
  bool channels_last = false;                          // --io-layout nhwc
  std::vector<std::string> labels;                     // of a classifier's classes, in their order
  std::string labels_file;                             // where they are from, as the user gave it

  bool Normalizes() const { return !mean.empty() || !std.empty() || scale.has_value(); }
  // Whether another graph than the source's is asked for: anything but shapes and layout.
  bool EditsGraph() const {
    return !fix.empty() || !cut_inputs.empty() || !cut_outputs.empty() || Normalizes() || softmax ||
           !input_names.empty() || !output_names.empty();
  }
};

// Options that change results; flags of the same names.
struct SpecOptions {
  InterfaceOptions interface;
  int opset = 17;
  int samples = 8;
  uint64_t seed = 0;
  bool verify = true;
  std::optional<double> tolerance;
  std::optional<int64_t> num_classes, input_size;
};

struct SpecTask {
  enum class Kind { kPrepare, kCell };
  Kind kind = Kind::kPrepare;
  uint32_t model = 0;     // index into models
  std::string target;     // cell
  std::string precision;  // cell
  int32_t prepare = -1;   // cell: index of its prepare task; -1 when none is needed
};

struct RequestSpec {
  std::vector<SpecModel> models;
  SpecOptions options;
  std::vector<SpecTask> tasks;  // a task's index is its position
  bool fresh = false;           // results that are kept do not count: everything is made again

  std::string ToJson() const;  // "schema": "slipway.request/1"; keys sorted: equal specs, equal bytes
  static absl::StatusOr<RequestSpec> FromJson(std::string_view json);
};

struct ResultFile {
  std::string path;  // relative to the cell's folder, '/'-separated
  Digest digest;
};

// Result of a task. `entry` is what goes into the manifest: of a prepare task the model's fields, of a cell the
// artifact's (contract.md), paths relative to the cell's folder; the client makes them relative to the manifest.
struct TaskResult {
  std::string entry;                // JSON object
  std::vector<ResultFile> files;    // cell: the artifact's files
  std::optional<Digest> parity;     // cell: parity.json
  std::optional<Digest> reference;  // prepare: the reference bundle
  std::string reason;               // one line unless passed, whole: the queue's is cut
  std::optional<Digest> emitted;    // cell: what its writer said of the artifact, for judging it again

  std::string ToJson() const;  // "schema": "slipway.result/1"
  static absl::StatusOr<TaskResult> FromJson(std::string_view json);
};

}  // namespace slipway
