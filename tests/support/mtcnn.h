// MTCNN's trained networks: the real weights that many tests read. For tests that link slipway_import.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/error.h"
#include "convert/import/import.h"

namespace slipway::testing {

// `net`: "pnet", "rnet" or "onet", out of the folder that SLIPWAY_MTCNN names (tests/run.sh sets it).
inline absl::StatusOr<Source> MtcnnSource(const std::string& net) {
  const char* folder = std::getenv("SLIPWAY_MTCNN");
  if (folder == nullptr) return FailedPrecondition("SLIPWAY_MTCNN is not set: run tests/run.sh");
  Source source;
  source.kind = Source::Kind::kCheckpoint;
  source.architecture = "mtcnn-" + net;
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(std::filesystem::path(folder) / (net + ".pt")));
  source.main.path = net + ".pt";
  return source;
}

inline absl::StatusOr<Imported> ImportMtcnn(const std::string& net) {
  ASSIGN_OR_RETURN(const Source source, MtcnnSource(net));
  return Import(source);
}

// Whether the net as it was written, in onnxruntime and in the target, is the same: `compare` gives the largest difference.
template <typename Compare>
void ExpectSameMtcnn(const std::string& net, Compare compare) {
  const auto imported = ImportMtcnn(net);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const absl::StatusOr<double> error = compare(*imported->as_written);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_LT(*error, 1e-5);
}

}  // namespace slipway::testing
