// Einsum as products of matrices: for targets that have none.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Einsum of one or two operands with an explicit or implied result, no letter twice in a term and no ellipsis:
// ReduceSum of the letters that only one operand has → Transpose and Reshape to [batch…, rows, columns] → MatMul → Reshape → Transpose.
std::unique_ptr<Rule> MakeDecomposeEinsum();

}  // namespace slipway
