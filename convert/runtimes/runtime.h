// Judges: real runtimes in warm host processes, and the Core ML interpreter, behind one interface.
//
// Host protocol (common/base/channel.h frames, JSON bodies; convert/runtimes/hosts/*.py):
//   → {"op":"hello"}                         ← {"name","version","cpu_features"}
//   → {"op":"load","session":S,"files":[paths],"configuration":{…}}   ← {"inputs":[{"name","dtype","shape"}],"outputs":[…]}   shape: -1 dynamic
//   → {"op":"run","session":S,"inputs":[{"name","dtype","shape"}],"want":[names]} + one memfd an input
//                                            ← {"outputs":[{"name","dtype","shape"}]} + one sealed memfd an output
//   → {"op":"unload","session":S}            ← {}
//   Any failure: ← {"error":"one line","code":"INVALID_ARGUMENT"|"UNIMPLEMENTED"|"INTERNAL"}. A host serves one connection and exits at its end of stream.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/channel.h"
#include "convert/ir/tensor.h"

namespace slipway {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// Who judged, and how: the manifest's `verified_by`.
struct JudgeIdentity {
  std::string name;  // "onnxruntime", "litert", "ncnn", "coreml-interpreter"
  std::string version;
  std::string kind;           // "runtime" or "interpreter"
  std::string configuration;  // "default level", "xnnpack", "built-in kernels", "fp16 options off", …
  std::string cpu_features;
};

// One artifact loaded in one configuration. Not thread-safe.
class Session {
 public:
  virtual ~Session() = default;
  virtual const JudgeIdentity& identity() const = 0;
  // Runs once. Inputs by the artifact's names, any of its shapes. `want`: names of outputs or, where CanFetch(), of inner tensors; empty: all outputs.
  // UNAVAILABLE: the host died or does not answer (judge again elsewhere). INVALID_ARGUMENT: the artifact cannot run so.
  virtual absl::StatusOr<NamedTensors> Run(const NamedTensors& inputs, const std::vector<std::string>& want) = 0;
  // Whether inner tensors can be asked for by name in this configuration.
  virtual bool CanFetch() const = 0;
};

// Gives connections to warm hosts. In a worker's child it asks the daemon for them; in tests and bench it spawns them itself.
class HostProvider {
 public:
  virtual ~HostProvider() = default;
  // A connected host of "onnxruntime", "litert" or "ncnn". NOT_FOUND: this machine has no such runtime (the cell is then unverified).
  virtual absl::StatusOr<std::shared_ptr<Channel>> Acquire(std::string_view runtime) = 0;
  // Where files for the hosts may be written; they can read it.
  virtual std::filesystem::path scratch() const = 0;
  // How long a host may take for one answer (a load, a run). One that takes longer counts as dead: UNAVAILABLE.
  virtual absl::Duration answer_timeout() const { return absl::Minutes(2); }
};

// Spawns hosts itself, unjailed: for tests and benchmarks. `python`: an interpreter with the wheels (tests/run.sh sets SLIPWAY_PYTHON).
std::unique_ptr<HostProvider> SpawningHosts(std::filesystem::path python, std::filesystem::path scratch);
// argv of a host; the connection is descriptor 3.
std::vector<std::string> HostCommand(std::string_view runtime, const std::filesystem::path& python);

// The configurations in which a target's artifacts are judged: design.md, "What passed means". All must pass.
//   onnx: onnxruntime "default level"; tflite: litert "xnnpack" and "built-in kernels"; ncnn: "fp16 options off"; coreml: interpreter.
std::vector<std::string> JudgeConfigurations(std::string_view target, std::string_view precision);

// Who would judge in this configuration, before any version is known.
JudgeIdentity JudgeOf(std::string_view target, std::string_view configuration);

// Loads an artifact's main file or folder for judging. `extra_outputs` are inner tensors that will be fetched (ONNX and Core ML load a copy with more outputs).
absl::StatusOr<std::unique_ptr<Session>> LoadArtifact(HostProvider& hosts, std::string_view target,
                                                      std::string_view configuration,
                                                      const std::filesystem::path& artifact,
                                                      const std::vector<std::string>& extra_outputs = {});

// The calculator: an ONNX file in onnxruntime with layout optimisations off. For references.
absl::StatusOr<std::unique_ptr<Session>> LoadReference(HostProvider& hosts, const std::filesystem::path& onnx_file);

}  // namespace slipway
