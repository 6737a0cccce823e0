// Trilu by a constant mask: for targets that have none.
#pragma once

#include <memory>

#include "convert/passes/pass.h"

namespace slipway {

// Trilu of matrices of known size by a constant k → Where(mask, x, 0); a product with the mask where `by_product`, for targets without Where.
std::unique_ptr<Rule> MakeTriangleByMask(bool by_product);

}  // namespace slipway
