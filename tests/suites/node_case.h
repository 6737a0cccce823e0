// Cases of the ONNX standard's backend tests, as Debian's libonnx-testdata ships them: a model and data sets of inputs and expected outputs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/ir/tensor.h"
#include "convert/onnx_form/onnx.pb.h"
#include "convert/runtimes/runtime.h"

namespace slipway::suites {

struct DataSet {
  NamedTensors inputs;   // by the graph's names, in its order
  NamedTensors outputs;  // expected
};

struct NodeCase {
  std::string name;    // "node/test_abs"
  std::string family;  // of its operators; "composed" where they are of several; "other" where it is not scored
  onnx::ModelProto model;
  std::vector<DataSet> data_sets;
  std::vector<std::string> frozen;  // graph inputs that Freeze made initializers

  int64_t max_rank = 0;    // of the graph's inputs and outputs
  bool has_empty = false;  // a tensor without elements among them
  bool has_float = false;  // a float32 among them
  bool has_runtime_input = true;
  bool is_scored = false;  // on targets: the dialect is asked for all
};

// All cases of tensors below `folder` (its node, pytorch-converted, pytorch-operator and simple), by name: no sequences, optionals or texts. Scored are those of
// tensors of float32, int32, int64, bool, uint8 and int8, operators of the default domain that FamilyOf knows, nothing in training mode.
// An error: the folder is not the suite.
absl::StatusOr<std::vector<NodeCase>> ReadNodeCases(const std::filesystem::path& folder);

// The copy in which the operands that are parameters in real networks are initializers with the first data set's values.
NodeCase Freeze(NodeCase node_case);

}  // namespace slipway::suites
