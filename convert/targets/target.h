// Targets: how core IR becomes a format's files.
//
// The ladder: Legalize rewrites the graph by small named rules until only ops that the format has, in forms that it has, remain;
// Check says of one node whether the emitter can write it as it stands; Emit then only writes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

struct TargetOptions {
  std::string model_name;            // names the files
  std::string precision = "fp32";    // capabilities' names
  int opset = 17;                    // ONNX
  std::string deployment = "iOS15";  // Core ML
};

// How one input or output of the artifact relates to the source's (contract.md, io_schema).
// artifact = squeeze(transpose(source, permutation), dropped_axis)
struct InterfaceTensor {
  std::string name;            // TFLite signature name, Core ML feature, NCNN blob, ONNX value
  std::string source;          // the source model's tensor
  std::vector<int64_t> shape;  // -1: dynamic
  DataType type = DataType::kFloat32;
  std::string layout;                // "NCHW", "NHWC", "" where it has none
  std::vector<int64_t> permutation;  // empty: null in the manifest
  int64_t dropped_axis = -1;         // -1: null
};

struct IoSchema {
  std::vector<InterfaceTensor> inputs;
  std::vector<InterfaceTensor> outputs;
};

// A value of the legalized graph that the artifact holds under a name of its own: what per-layer runs ask the judge for.
struct ArtifactValue {
  std::string name;           // in the artifact (TFLite tensor name, NCNN blob, MIL value, ONNX value)
  Origin origin;              // known() always
  int64_t dropped_axis = -1;  // of the artifact's tensor against the IR value's (NCNN's batch)
};

struct Emitted {
  std::string path;                // main file or folder, relative to the folder written into
  std::vector<std::string> files;  // every file, '/'-separated, relative to it
  IoSchema io;
  std::vector<ArtifactValue> values;
  std::string requires_runtime;  // "opset 17", "ncnn >= 20250503", "iOS 15": manifest's `requires`
};

class Target {
 public:
  virtual ~Target() = default;
  virtual std::string_view name() const = 0;
  // Rewrites core IR for this format. An error names node, op, rule and what would work.
  virtual absl::Status Legalize(Graph& graph, const TargetOptions& options) const = 0;
  // Whether Emit can write `node` of a legalized graph. UNIMPLEMENTED: node, reason, hint.
  virtual absl::Status Check(const Node& node, const TargetOptions& options) const = 0;
  // Writes a legalized and checked graph's files into `folder` (which exists and is empty). Deterministic bytes; weights are streamed, not gathered in memory.
  virtual absl::StatusOr<Emitted> Emit(const Graph& graph, const TargetOptions& options,
                                       const std::filesystem::path& folder) const = 0;
};

// "UNIMPLEMENTED: Conv 'x' (output 'y'): <reason>; <hint>": one form for every target's refusal.
absl::Status Unsupported(const Node& node, std::string_view reason, std::string_view hint);

// Singletons.
const Target& OnnxTarget();
const Target& TfliteTarget();
const Target& CoremlTarget();
const Target& NcnnTarget();

}  // namespace slipway
