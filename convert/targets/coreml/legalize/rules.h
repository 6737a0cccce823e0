// The rules that bring core IR into forms that an ML program has, each a small named rewriting.
#pragma once

#include <memory>
#include <vector>

#include "convert/passes/pass.h"

namespace slipway::coreml_writer {

using Rules = std::vector<std::unique_ptr<Rule>>;

void AddGemmRules(Rules& rules);           // gemm.cc
void AddActivationRules(Rules& rules);     // activation.cc
void AddElementwiseRules(Rules& rules);    // elementwise.cc
void AddNormalizationRules(Rules& rules);  // normalization.cc
void AddReshapeRules(Rules& rules);        // reshape.cc
void AddConvRules(Rules& rules);           // conv.cc
void AddResizeRules(Rules& rules);         // resize.cc
void AddSelectRules(Rules& rules);         // select.cc
void AddPoolRules(Rules& rules);           // pool.cc

}  // namespace slipway::coreml_writer
