// What can be exported to what, found by asking: small models are converted, and what became of them is told. Nothing here is kept by hand.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway {

// One format, as its files come out.
struct FormatSupport {
  std::string target, backend, judge;
  std::vector<std::string> precisions;
  std::vector<std::string> files;  // ".param", ".bin"; ".mlpackage" of a folder
  std::string requires_runtime;    // "opset 17", "iOS 15"
  std::vector<std::pair<std::string, std::string>>
      facts;  // what the file says of itself: {"specification version", "6"}
  // Element type of a source's tensor → as the artifact takes and gives it; nullopt where it cannot be at the interface.
  std::vector<std::pair<std::string, std::optional<std::string>>> types;
  bool dynamic_batch = false,
       dynamic_image = false;  // sizes that stay open in the artifact: the first axis; height and width
};
absl::StatusOr<std::vector<FormatSupport>> AskFormats();

// One form of an operator, asked of every target.
struct OpForm {
  std::string label;                            // "2-D", "grouped"; "" for the only one
  std::map<std::string, std::string> refusals;  // target → why not; only those that refuse
};
struct OpSupport {
  std::string op;  // ONNX's name
  std::vector<OpForm> forms;
};
// Every op that can be imported, sorted. INTERNAL: an op has no sample that can be imported (op_samples.h).
absl::StatusOr<std::vector<OpSupport>> AskOperators();

}  // namespace slipway
