// Which runtime judges which artifact, in which configurations, and how it is loaded.
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/error.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/runtimes/host_session.h"
#include "convert/runtimes/onnx_outputs.h"
#include "convert/runtimes/runtime.h"
#include "convert/targets/coreml/reader/reader.h"

namespace slipway {
namespace {

struct Configuration {
  std::string_view target;
  std::string_view name;
  std::string_view runtime;
  std::string_view json;  // for the host
  bool shows_inner;       // any inner tensor can be fetched as the artifact stands
};

constexpr Configuration kConfigurations[] = {
    {"onnx", "default level", "onnxruntime", R"({"level": "default"})", false},
    {"tflite", "xnnpack", "litert", R"({"kernels": "xnnpack"})", false},
    {"tflite", "built-in kernels", "litert", R"({"kernels": "built-in"})", true},
    {"ncnn", "fp16 options off", "ncnn", R"({"fp16": false})", true},
    {"ncnn", "fp16 options on", "ncnn", R"({"fp16": true})", true},
    {"coreml", "interpreter", "onnxruntime", R"({"level": "reference"})", false},
};

absl::StatusOr<const Configuration*> FindConfiguration(std::string_view target, std::string_view name) {
  for (const Configuration& configuration : kConfigurations) {
    if (configuration.target == target && configuration.name == name) return &configuration;
  }
  return InvalidArgument("{} has no judge configuration '{}'", target, name);
}

absl::StatusOr<std::unique_ptr<HostSession>> LoadInHost(HostProvider& hosts, const Configuration& configuration,
                                                        const std::vector<std::filesystem::path>& files,
                                                        JudgeIdentity identity, bool can_fetch) {
  ASSIGN_OR_RETURN(std::shared_ptr<Channel> channel, hosts.Acquire(configuration.runtime));
  std::vector<std::string> names;
  for (const std::filesystem::path& file : files) names.push_back(std::filesystem::absolute(file).string());
  identity.configuration = configuration.name;
  return HostSession::Load(std::move(channel), names, nlohmann::json::parse(configuration.json), std::move(identity),
                           can_fetch, hosts.answer_timeout());
}

// A session of a model that was given more outputs, under the judge's own name: without `want` it runs for the model's own outputs.
class CopySession final : public Session {
 public:
  CopySession(std::unique_ptr<HostSession> session, std::vector<std::string> outputs, JudgeIdentity identity)
      : session_(std::move(session)), outputs_(std::move(outputs)), identity_(std::move(identity)) {}
  const JudgeIdentity& identity() const override { return identity_; }
  absl::StatusOr<NamedTensors> Run(const NamedTensors& inputs, const std::vector<std::string>& want) override {
    return session_->Run(inputs, want.empty() ? outputs_ : want);
  }
  bool CanFetch() const override { return session_->CanFetch(); }

 private:
  std::unique_ptr<HostSession> session_;
  std::vector<std::string> outputs_;
  JudgeIdentity identity_;
};

absl::StatusOr<std::unique_ptr<Session>> LoadOnnx(HostProvider& hosts, const Configuration& configuration,
                                                  const std::filesystem::path& file,
                                                  const std::vector<std::string>& extra_outputs) {
  JudgeIdentity identity{"onnxruntime", "", "runtime", "", ""};
  if (extra_outputs.empty()) {
    ASSIGN_OR_RETURN(auto session, LoadInHost(hosts, configuration, {file}, identity, false));
    return session;
  }
  ASSIGN_OR_RETURN(auto original, MappedFile::Open(file));
  ASSIGN_OR_RETURN(std::vector<std::string> outputs, OnnxOutputNames(original->bytes()));
  // The copy may go once it is loaded: onnxruntime has read or mapped it by then.
  ASSIGN_OR_RETURN(OnnxCopy copy, CopyWithOutputs(file, extra_outputs, hosts.scratch()));
  ASSIGN_OR_RETURN(auto session, LoadInHost(hosts, configuration, {copy.model}, identity, true));
  identity = session->identity();
  return std::make_unique<CopySession>(std::move(session), std::move(outputs), std::move(identity));
}

absl::StatusOr<std::unique_ptr<Session>> LoadCoreml(HostProvider& hosts, const Configuration& configuration,
                                                    const std::filesystem::path& package,
                                                    const std::vector<std::string>& extra_outputs) {
  ASSIGN_OR_RETURN(std::unique_ptr<Graph> graph, ReadMlpackage(package));
  OnnxFormOptions options;
  for (const std::string& name : extra_outputs) {
    const Value* value = graph->Find(name);
    if (value == nullptr) return InvalidArgument("{} has no value '{}'", package.filename().string(), name);
    if (!graph->IsOutput(value)) options.extra_outputs.push_back(value);
  }
  std::vector<std::string> outputs;
  for (const Value* output : graph->outputs()) outputs.push_back(output->name);
  ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Create(hosts.scratch(), "coreml-"));
  const std::filesystem::path file = folder.path() / "interpreted.onnx";
  RETURN_IF_ERROR(WriteOnnxFile(*graph, options, file).status());
  ASSIGN_OR_RETURN(auto session, LoadInHost(hosts, configuration, {file}, {"onnxruntime", "", "runtime", "", ""},
                                            !extra_outputs.empty()));
  const JudgeIdentity& runtime = session->identity();
  JudgeIdentity identity{"coreml-interpreter", SLIPWAY_VERSION, "interpreter",
                         fmt::format("on {} {}", runtime.name, runtime.version), runtime.cpu_features};
  return std::make_unique<CopySession>(std::move(session), std::move(outputs), std::move(identity));
}

}  // namespace

JudgeIdentity JudgeOf(std::string_view target, std::string_view configuration) {
  JudgeIdentity judge{.kind = "runtime", .configuration = std::string(configuration)};
  const absl::StatusOr<const Configuration*> known = FindConfiguration(target, configuration);
  judge.name = known.ok() ? (*known)->runtime : std::string_view("unknown");
  if (target == "coreml") judge.name = "coreml-interpreter", judge.kind = "interpreter";
  return judge;
}

std::vector<std::string> JudgeConfigurations(std::string_view target, std::string_view precision) {
  if (target == "ncnn") return {precision == "fp16" ? "fp16 options on" : "fp16 options off"};
  std::vector<std::string> names;
  for (const Configuration& configuration : kConfigurations) {
    if (configuration.target == target) names.emplace_back(configuration.name);
  }
  return names;
}

absl::StatusOr<std::unique_ptr<Session>> LoadArtifact(HostProvider& hosts, std::string_view target,
                                                      std::string_view configuration_name,
                                                      const std::filesystem::path& artifact,
                                                      const std::vector<std::string>& extra_outputs) {
  ASSIGN_OR_RETURN(const Configuration* configuration, FindConfiguration(target, configuration_name));
  if (target == "onnx") return LoadOnnx(hosts, *configuration, artifact, extra_outputs);
  if (target == "coreml") return LoadCoreml(hosts, *configuration, artifact, extra_outputs);
  std::vector<std::filesystem::path> files = {artifact};
  if (target == "ncnn") files.push_back(std::filesystem::path(artifact).replace_extension(".bin"));
  ASSIGN_OR_RETURN(auto session, LoadInHost(hosts, *configuration, files,
                                            {std::string(configuration->runtime), "", "runtime", "", ""},
                                            configuration->shows_inner));
  return session;
}

absl::StatusOr<std::unique_ptr<Session>> LoadReference(HostProvider& hosts, const std::filesystem::path& onnx_file) {
  constexpr Configuration kReference{"", "layout optimisations off", "onnxruntime", R"({"level": "reference"})", false};
  ASSIGN_OR_RETURN(auto session,
                   LoadInHost(hosts, kReference, {onnx_file}, {"onnxruntime", "", "runtime", "", ""}, false));
  return session;
}

}  // namespace slipway
