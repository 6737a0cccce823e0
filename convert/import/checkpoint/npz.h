// NumPy's .npz: a zip archive of .npy arrays, stored (np.savez) or deflated (np.savez_compressed).
// numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/checkpoint/zip.h"

namespace slipway {

// Whether the archive holds .npy arrays.
bool IsNpz(const ZipReader& zip);

// A tensor for each array, named as its entry without ".npy". Stored arrays in C order are views of the file. Texts and
// dates are passed over; arrays of Python objects are refused and not unpickled.
absl::StatusOr<Checkpoint> ReadNpz(const std::shared_ptr<const MappedFile>& file, const ZipReader& zip);

}  // namespace slipway
