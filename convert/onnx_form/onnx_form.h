// ONNX as data: an IR graph as an ONNX model. Used by the ONNX target, and to run a graph at any stage in onnxruntime.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "convert/ir/graph.h"

namespace slipway {

inline constexpr int kDefaultOpset = 17;
inline constexpr int kMinOpset = 7;
inline constexpr int kMaxOpset = 26;

// Takes the pieces of a file in order; they are valid only during the call.
using ByteSink = std::function<absl::Status(std::span<const std::byte>)>;

struct OnnxFormOptions {
  int opset = kDefaultOpset;                // raised to what the graph's ops need
  std::vector<const Value*> extra_outputs;  // also made outputs, after the graph's own (per-layer runs)
  // Not empty: tensors of 1 KiB and more go to `external_sink`, each at a 64-byte aligned offset, and the model refers to this file.
  std::string external_file;
  ByteSink external_sink;
};

// What was written.
struct OnnxFormInfo {
  int opset = 0;
  int64_t ir_version = 0;
};

// Whether `node` can be said in ONNX (every op of the dialect and every legalized form can: an expansion in ops/); else
// UNIMPLEMENTED with node, reason, hint.
absl::Status CheckOnnxForm(const Node& node);

// Streams a ModelProto: no copy of the weights is made. Over 2 GiB without an external file: RESOURCE_EXHAUSTED.
// Deterministic; no stack traces, paths or times.
absl::StatusOr<OnnxFormInfo> WriteOnnx(const Graph& graph, const OnnxFormOptions& options, const ByteSink& sink);

// The same into a file / a string.
absl::StatusOr<OnnxFormInfo> WriteOnnxFile(const Graph& graph, const OnnxFormOptions& options,
                                           const std::filesystem::path& path);
absl::StatusOr<std::string> OnnxBytes(const Graph& graph, const OnnxFormOptions& options = {});

}  // namespace slipway
