// Whether a file was read rightly, asked where the reference cannot tell: when it is an edited graph.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "convert/import/import.h"
#include "convert/import/source.h"
#include "worker/pipeline/pipeline.h"

namespace slipway {

// The edited graph is what the artifacts are compared with: it must not hide that the file was read wrongly. So imported.unedited, the graph as it was
// read, and the file itself (cut alike, where it can be) run on two samples a size in onnxruntime. DATA_LOSS naming the output when they differ;
// other errors: they could not be compared.
absl::Status CheckImport(const TaskContext& context, const Source& source, const Imported& imported, uint64_t seed);

}  // namespace slipway
