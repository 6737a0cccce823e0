// Proof: samples, reference outputs, metrics, gates, verdicts. design.md's "What passed means" in code; docs/parity.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/target.h"

namespace slipway {

// One sample: inputs by the source's names, and after prepare the reference's tensors.
struct Sample {
  NamedTensors inputs;
  NamedTensors outputs;            // every source output, in order
  NamedTensors before_activation;  // by source tensor name: what stands before an output's final softmax or sigmoid
  NamedTensors
      inner;  // of a bundle's first sample: the source's inner tensors, as far as 32 MiB go (docs/parity.md); for per-layer figures
};

// An output that is a final Softmax or Sigmoid, found through Identity, Cast and reshaping, and the tensor before it.
struct FinalActivation {
  std::string output;  // source name
  std::string before;  // source name of its input; empty where the source has no such tensor
  OpKind kind = OpKind::kSoftmax;
};

// All that judging needs from the source; a blob made by prepare.
struct ReferenceBundle {
  std::string reference;  // manifest's `reference`
  std::string generator;  // "smooth images, seed 0"
  std::vector<FinalActivation> final_activations;
  std::vector<std::string> constant_outputs;  // source names: exempt from the swap rule
  std::vector<Sample> samples;

  absl::Status Write(const std::filesystem::path& path) const;  // JSON header + raw tensors, 64-byte aligned
  static absl::StatusOr<ReferenceBundle> Read(std::shared_ptr<const MappedFile> file);
};

struct SampleOptions {
  int count = 8;
  uint64_t seed = 0;
  // Sizes for symbols, one map a size to be proved at: PNet's H, W twice. Symbols that none binds get defaults (docs/parity.md), a batch 1 and 2;
  // a graph with dynamic sizes is always proved at two.
  std::vector<std::map<std::string, int64_t>> sizes;
  // By input of floats: what its values lie in, [-1, 1] otherwise. Bytes to be scaled: [0, 255].
  std::map<std::string, std::pair<double, double>> ranges;
};

// Samples for a graph's inputs, drawn by use: images smooth and in range, indices of Gather in [0, rows), masks 0/1. Deterministic.
absl::StatusOr<std::vector<Sample>> MakeSamples(const Graph& graph, const SampleOptions& options);

std::vector<FinalActivation> FindFinalActivations(const Graph& graph);

// Outputs that no input reaches.
std::vector<std::string> FindConstantOutputs(const Graph& graph);

// Fills outputs and before_activation of every sample, and inner of the first, by running `onnx_file`, the source or the graph as it was built, in onnxruntime. The `before`
// tensors need not be outputs of the file: they are added to a copy. Where the file has no such tensor, before_activation lacks it.
// `refused`, if given: samples of sizes that the file itself does not run are taken out, and it receives why, a line a size; an error only where none
// is left.
absl::Status RunReference(HostProvider& hosts, const std::filesystem::path& onnx_file,
                          const std::vector<FinalActivation>& activations, std::vector<Sample>& samples,
                          std::vector<std::string>* refused = nullptr);

struct Metrics {
  double l_inf = 0, l_inf_scaled = 0, p999 = 0, mean_abs = 0, rmse = 0, cosine = 0, snr_db = 0;
  double agreement = 0;  // fraction equal (integers), of top-1 along the last axis (floats)
  int64_t elements = 0;  // of the largest sample
  bool finite = true;    // reference and what was judged; else the figures of error are NaN (JSON null)
};

// Over all samples together, accumulated in double. `reference` and `actual` have the same shapes, sample by sample, else INVALID_ARGUMENT.
// A reference of all zeros scales by 1. snr_db of equal tensors is +Inf (JSON null).
absl::StatusOr<Metrics> Compare(const std::vector<Tensor>& reference, const std::vector<Tensor>& actual);

enum class OutputRole { kRaw, kProbability, kBeforeActivation, kInteger };
enum class Verdict { kPassed, kFailed, kNotDiscriminating, kNotRun };
std::string_view Name(Verdict verdict);

// Limits of one output: those that are set must hold. l_inf_scaled: at most; l_inf, mean_abs, rmse: less than; snr_db, agreement: at least.
// Of outputs of more than 10,000 elements the 99.9th percentile stands for the maximum.
struct Gate {
  std::optional<double> l_inf, l_inf_scaled, mean_abs, rmse, snr_db, agreement;
  bool Holds(const Metrics& metrics, std::string* reason = nullptr) const;
};
// design.md's table. `tolerance` takes the place of all limits of floats: of l_inf for probabilities, of l_inf_scaled otherwise.
Gate GateFor(std::string_view target, std::string_view precision, OutputRole role,
             std::optional<double> tolerance = {});

struct OutputFigures {
  std::string name;  // source name
  OutputRole role;
  Metrics metrics;
};

// One inner tensor of the artifact against the source's.
struct LayerFigures {
  std::string name;    // in the artifact
  std::string source;  // in the source
  Metrics metrics;
};

struct JudgeRun {
  JudgeIdentity verified_by;
  Verdict verdict = Verdict::kNotRun;
  std::string reason;  // one line unless passed
  std::vector<OutputFigures> outputs;
  std::vector<LayerFigures> layers;  // in the artifact's order, on the first sample; empty where the judge shows none
};

struct ParityResult {
  Verdict verdict = Verdict::kNotRun;
  std::string reason;
  int samples = 0;
  std::vector<std::pair<OutputRole, Gate>> thresholds;  // of the roles that were gated
  std::vector<JudgeRun> runs;
  nlohmann::json ToJson() const;  // the manifest's `parity`
};

struct JudgeRequest {
  std::string target, precision;
  std::filesystem::path folder;  // holds the artifact
  Emitted emitted;
  std::optional<double> tolerance;  // replaces the gate's main limit
  // --dummy: what the probabilities of such weights are worth is nobody's concern. They are reported, and gated only by `tolerance`, or in a run that shows nothing
  // of what stands before them.
  bool made_up_weights = false;
  std::string gate_target = {};  // whose gates hold; empty: the target's

  Gate GateOf(OutputRole role) const {
    return GateFor(gate_target.empty() ? target : gate_target, precision, role, tolerance);
  }
};

// Runs the artifact in every configuration of its target and compares. A judge that is missing gives kNotRun with its reason; a judge that died, UNAVAILABLE.
// The swap rule: a verdict counts only if the gates fail with two samples' outputs exchanged, else kNotDiscriminating.
absl::StatusOr<ParityResult> Judge(HostProvider& hosts, const JudgeRequest& request, const ReferenceBundle& reference);

// parity.json: figures per output and, where the judge shows inner tensors, per layer, with the first layer that is further off than an output may be.
nlohmann::json ParityReport(const JudgeRequest& request, const ParityResult& result);

}  // namespace slipway
