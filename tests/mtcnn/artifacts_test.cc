// The figure that matters to a user: every artifact of MTCNN's trained nets against the same nets in real PyTorch, fed and read as its io_schema
// says, in every judge's configuration.
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/error.h"
#include "convert/parity/interface.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/convert.h"
#include "tests/support/mtcnn.h"
#include "tests/support/torch_fixture.h"

namespace slipway::testing {
namespace {

const TorchOutput& Ran() {
  static const TorchOutput output({"nets", Needed("SLIPWAY_MTCNN")});
  return output;
}

absl::StatusOr<Emitted> ConvertNet(const std::string& net, const std::string& target,
                                   const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(Imported imported, ImportMtcnn(net));
  TargetOptions options;
  options.model_name = net;
  return ConvertTo(*FindTargetByName(target), std::move(imported.model.graph), options, folder);
}

// Largest absolute difference over all outputs of one PyTorch run.
absl::StatusOr<double> WorstError(Session& session, const IoSchema& io, const nlohmann::json& run) {
  NamedTensors inputs;
  ASSIGN_OR_RETURN(Tensor image, ToArtifact(Ran().Read(run.at("input")), io.inputs.at(0)));
  inputs.emplace_back(io.inputs.at(0).name, std::move(image));
  ASSIGN_OR_RETURN(const NamedTensors outputs, session.Run(inputs, {}));
  double worst = 0;
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    const Tensor expected = Ran().Read(run.at("outputs").at(i));
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.first == io.outputs[i].name; });
    if (found == outputs.end()) return NotFound("the artifact has no output '{}'", io.outputs[i].name);
    ASSIGN_OR_RETURN(const Tensor actual, ToSource(found->second, io.outputs[i], DataType::kFloat32));
    if (actual.shape() != expected.shape()) {
      return InvalidArgument("{} is {}, not {}", io.outputs[i].name, ToString(actual.shape()),
                             ToString(expected.shape()));
    }
    for (int64_t n = 0; n < expected.size(); ++n) {
      worst = std::max(worst, std::abs(static_cast<double>(actual.At<float>(n)) - expected.At<float>(n)));
    }
  }
  return worst;
}

void ExpectWithin(const std::string& target, double limit) {
  const auto scratch = TemporaryFolder::Create("/tmp", "slipway-mtcnn-");
  ASSERT_TRUE(scratch.ok()) << scratch.status();
  const auto hosts = SpawningHosts(Needed("SLIPWAY_PYTHON"), scratch->path());
  for (const std::string net : {"pnet", "rnet", "onet"}) {
    const std::filesystem::path folder = scratch->path() / net;
    std::filesystem::create_directory(folder);
    const auto emitted = ConvertNet(net, target, folder);
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    int runs = 0;
    for (const std::string& configuration : JudgeConfigurations(target, "fp32")) {
      const auto session = LoadArtifact(*hosts, target, configuration, folder / emitted->path);
      ASSERT_TRUE(session.ok()) << session.status();
      for (const auto& run : Ran().index()) {
        if (run.at("net") != net) continue;
        const auto error = WorstError(**session, emitted->io, run);
        ASSERT_TRUE(error.ok()) << net << " " << configuration << ": " << error.status();
        EXPECT_LT(*error, limit) << net << " " << configuration;
        fmt::print("{:5} {:7} {:18} {:>16}  max abs against PyTorch {:.2g}\n", net, target, configuration,
                   run.at("input").at("shape").dump(), *error);
        ++runs;
      }
    }
    EXPECT_GE(runs, 2) << "every net at two sizes or with two images";
  }
}

TEST(MtcnnArtifacts, OnnxIsPyTorch) { ExpectWithin("onnx", 1e-5); }
TEST(MtcnnArtifacts, TfliteIsPyTorch) { ExpectWithin("tflite", 1e-4); }
TEST(MtcnnArtifacts, CoremlIsPyTorch) { ExpectWithin("coreml", 1e-5); }
TEST(MtcnnArtifacts, NcnnIsPyTorch) { ExpectWithin("ncnn", 1e-4); }

}  // namespace
}  // namespace slipway::testing
