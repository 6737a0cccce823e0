// The model's description: inputs and outputs as Core ML features, sizes that vary as ranges.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"
#include "convert/targets/coreml/model.pb.h"
#include "convert/targets/coreml/program.h"
#include "convert/targets/target.h"

namespace slipway::coreml_writer {

// What a named size may be. Core ML wants an upper bound.
struct SizeChoice {
  int64_t lower = 1;
  int64_t usual = 1;  // the shape that the description shows
  int64_t upper = 1;
};

// For every symbol of the graph's inputs: the least size with which every value of the graph has elements, and round bounds.
absl::StatusOr<std::map<std::string, SizeChoice>> ChooseSizes(const Graph& graph);

void DescribeInput(const Value& value, const std::string& name, const std::map<std::string, SizeChoice>& sizes,
                   coreml::FeatureDescription& feature);
void DescribeOutput(const Value& value, const std::string& name, coreml::FeatureDescription& feature);
// io_schema's row.
InterfaceTensor InterfaceOf(const Value& value, const std::string& name);

}  // namespace slipway::coreml_writer
