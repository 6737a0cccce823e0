// One case on one target: imported, converted, run by the target's judges, compared with the expected outputs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "convert/runtimes/runtime.h"
#include "tests/suites/node_case.h"

namespace slipway::suites {

struct CaseResult {
  std::string stage;   // "import", "convert", "run", "compare"; empty: passed
  std::string reason;  // one line
  bool passed() const { return stage.empty(); }
};

// The pseudo-target that stands before all others: the dialect itself. The graph as it was imported and simplified, said in ONNX, is run by the calculator.
inline constexpr std::string_view kDialect = "dialect";

// Whether a case counts for a target: the dialect is asked for every one, targets for those that are scored and that their format can hold at all: TFLite rank ≤ 6; Core ML rank ≤ 5 and no empty tensors; NCNN rank ≤ 4 and some float tensor.
bool IsAddressable(const NodeCase& node_case, std::string_view target);

// The case as it is given (Freeze it first where the target wants it so). A case without inputs is a folding test: import must leave the expected constants.
// Every judge configuration of the target at fp32 must be within rtol 1e-3, atol 1e-5; integers and truth values equal.
// A host that dies fails the case only: the next case gets a new one.
CaseResult RunCase(HostProvider& hosts, const NodeCase& node_case, std::string_view target,
                   const std::filesystem::path& scratch);

}  // namespace slipway::suites
