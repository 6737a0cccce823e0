// Models at every opset: imported and written at several opsets, they compute in onnxruntime what the original computes there.
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "convert/import/onnx/model_view.h"
#include "convert/import/onnx/tensor_load.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/passes/passes.h"
#include "convert/passes/shapes.h"
#include "tests/onnx/harness.h"

namespace slipway::testing {
namespace {

absl::StatusOr<Tensor> ReadTensorFile(const std::filesystem::path& path) {
  Source source;
  ASSIGN_OR_RETURN(source.main.file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const onnx_import::TensorView view, onnx_import::ReadTensorView(source.main.file->bytes()));
  return onnx_import::LoadTensor(view, source);
}

TEST(OnnxOpsets, EveryOpsetToEveryForm) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-opsets-");
  ASSERT_TRUE(folder.ok());
  const absl::Status made = RunPython("onnx/models.py", {folder->path().string()});
  ASSERT_TRUE(made.ok()) << made;
  const std::vector<std::string> outputs = {"probabilities", "u1", "sums", "best", "where", "big"};
  for (int opset = kMinOpset; opset <= kMaxOpset; ++opset) {
    SCOPED_TRACE(opset);
    const std::filesystem::path original = folder->path() / fmt::format("image_{}.onnx", opset);
    const auto input = ReadTensorFile(folder->path() / fmt::format("image_{}.x.pb", opset));
    ASSERT_TRUE(input.ok()) << input.status();
    const auto expected = RunOnnx(original, {{"x", *input}}, outputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    const auto source = OpenOnnx(original);
    ASSERT_TRUE(source.ok()) << source.status();
    for (const bool simplified : {false, true}) {
      auto model = ImportOnnx(*source);
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(model->source_opset, opset);
      ASSERT_TRUE((simplified ? Simplify(*model->graph) : MakeInferShapes()->Run(*model->graph).status()).ok());
      for (const int wanted : {7, 10, 11, 13, 17, 18, 21, 26}) {
        SCOPED_TRACE(wanted);
        const std::filesystem::path written =
            folder->path() / fmt::format("w_{}_{}_{}.onnx", opset, simplified, wanted);
        OnnxFormOptions options;
        options.opset = wanted;
        const auto info = WriteOnnxFile(*model->graph, options, written);
        ASSERT_TRUE(info.ok()) << info.status();
        EXPECT_GE(info->opset, wanted);
        if (wanted >= 18) {
          EXPECT_EQ(info->opset, wanted);
        }
        const auto actual = RunOnnx(written, {{"x", *input}}, outputs);
        ASSERT_TRUE(actual.ok()) << actual.status();
        for (size_t i = 0; i < outputs.size(); ++i) {
          const absl::Status close = ExpectClose((*actual)[i].second, (*expected)[i].second, 1e-5, 1e-6);
          EXPECT_TRUE(close.ok()) << outputs[i] << ": " << close;
        }
      }
    }
  }
}

// ONNX requires both results of a TopK, also where nothing reads the one or the other.
TEST(OnnxOpsets, TopKOfWhichOneResultIsRead) {
  const auto folder = TemporaryFolder::Create("/tmp", "slipway-topk-");
  ASSERT_TRUE(folder.ok());
  for (const size_t read : {0, 1}) {
    Graph graph;
    Value* x = graph.AddInput("x", DataType::kFloat32, ToShape({2, 4}));
    Node* node = graph.AddNode(OpKind::kTopK, {x, graph.AddConstant("k", Tensor::Int64s({2}))}, {"values", "indices"});
    ASSERT_TRUE(InferNode(*node).ok());
    graph.AddOutput(node->outputs[read]);
    graph.DropOutput(node->outputs[1 - read]);
    graph.RemoveDead();  // absent at the end: not listed at all
    const std::filesystem::path file = folder->path() / fmt::format("{}.onnx", read);
    ASSERT_TRUE(WriteOnnxFile(graph, {}, file).ok());
    const Tensor data = Tensor::From<float>({2, 4}, {3, 1, 4, 2, 5, 9, 6, 8});
    const auto results = RunOnnx(file, {{"x", data}}, {read == 0 ? "values" : "indices"});
    ASSERT_TRUE(results.ok()) << results.status();
    EXPECT_EQ((*results)[0].second.ToDoubles(),
              read == 0 ? (std::vector<double>{4, 3, 9, 8}) : (std::vector<double>{2, 0, 1, 3}));
  }
}

}  // namespace
}  // namespace slipway::testing
