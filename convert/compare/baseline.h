// The baseline's part of a comparison: its inputs, samples for them, and what it makes of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/compare/align.h"
#include "convert/compare/compare.h"
#include "convert/compare/side.h"
#include "convert/parity/parity.h"

namespace slipway::compare {

class Baseline {
 public:
  // An ONNX file is imported where it can be: samples are then drawn by use, and final activations are known.
  static absl::StatusOr<Baseline> Open(const Side& side);

  // Inputs as they are drawn and compared. Sizes that neither the file nor Fix() says are -1.
  const std::vector<CommonTensor>& inputs() const { return inputs_; }
  // Settles open sizes of an input, axis by axis; -1 leaves one open. INVALID_ARGUMENT where one is settled otherwise.
  absl::Status Fix(size_t input, const std::vector<int64_t>& sizes);
  // Samples and all that judging needs. Outputs have the baseline's own names, inner tensors those of their source.
  absl::StatusOr<ReferenceBundle> Run(HostProvider& hosts, const CompareOptions& options);
  // After Run.
  std::vector<CommonTensor> outputs(const ReferenceBundle& bundle) const;
  const std::string& judge() const { return judge_; }

 private:
  explicit Baseline(const Side& side) : side_(side) {}
  absl::Status RunArtifact(HostProvider& hosts, std::vector<Sample>& samples);
  void FetchInner(HostProvider& hosts, const std::string& first, Sample& sample);

  Side side_;
  std::unique_ptr<Graph> graph_;  // the whole of an ONNX file, else inputs alone
  bool imported_ = false;
  std::vector<CommonTensor> inputs_;
  std::map<std::string, int64_t> sizes_;  // symbol → size
  std::string judge_;
};

}  // namespace slipway::compare
