// Models built in the test, by protobuf's own classes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "tests/onnx/harness.h"
#include "tests/support/onnx_maker.h"

namespace slipway::testing {

// A model under construction, and what importing it says.
class OnnxImport : public ::testing::Test, protected OnnxMaker {
 protected:
  OnnxImport() : folder_(*TemporaryFolder::Create("/tmp", "slipway-import-")) {}

  absl::StatusOr<Model> Import(const std::map<std::string, std::vector<int64_t>>& shapes = {}) {
    ASSIGN_OR_RETURN(source_, SourceOf(model_, folder_.path()));
    source_.interface.shapes = shapes;
    return ImportOnnx(source_);
  }
  // The one-line error of importing the model as it stands.
  std::string Error(const std::map<std::string, std::vector<int64_t>>& shapes = {}) {
    const auto model = Import(shapes);
    if (model.ok()) return "no error";
    EXPECT_EQ(KindOf(model.status()), ErrorKind::kModel) << model.status();
    EXPECT_EQ(Message(model.status()).find('\n'), std::string::npos);
    EXPECT_THAT(Message(model.status()), ::testing::HasSubstr("model.onnx"));
    return Message(model.status());
  }

  TemporaryFolder folder_;
  Source source_;
};

}  // namespace slipway::testing
