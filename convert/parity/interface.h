// The artifact's tensors against the source's: contract.md's io_schema, applied and undone.
#pragma once

#include "absl/status/statusor.h"
#include "convert/ir/graph.h"
#include "convert/ir/tensor.h"
#include "convert/targets/target.h"

namespace slipway {

// A source tensor as the artifact takes it: transposed, squeezed, cast. INVALID_ARGUMENT when it does not come out in the artifact's shape.
absl::StatusOr<Tensor> ToArtifact(const Tensor& source, const InterfaceTensor& interface);

// An artifact's tensor as the source has it, in the element type `type`. INVALID_ARGUMENT when its shape is not the one the interface says.
absl::StatusOr<Tensor> ToSource(const Tensor& artifact, const InterfaceTensor& interface, DataType type);

// An inner tensor of the artifact as its source tensor: axis added, scale divided out, transposed back.
absl::StatusOr<Tensor> ToSource(const Tensor& artifact, const ArtifactValue& value);

}  // namespace slipway
