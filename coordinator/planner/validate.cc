#include "coordinator/planner/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/rpc/digest_message.h"
#include "convert/capabilities/capabilities.h"

namespace slipway {
namespace {

constexpr uint64_t kMaxBlobBytes = uint64_t{1} << 40;
constexpr int64_t kMaxDimension = int64_t{1} << 31;
constexpr int kMaxRank = 16;
constexpr int kMaxTensors = 1000;       // that options name
constexpr int kMaxNumbers = 1'000'000;  // of one of them
constexpr int kMaxSamples = 10'000;
constexpr int64_t kMaxClasses = 1'000'000, kMaxInputSize = 4096;
constexpr int kMinOpset = 7, kMaxOpset = 26;
constexpr uint32_t kMaxTimeoutSeconds = 365 * 24 * 3600;

// "models[3].name: \"a b\" has a space: use letters, digits, '.', '_' and '-'"
template <typename... Args>
absl::Status Refused(std::string_view field, fmt::format_string<Args...> format, Args&&... args) {
  return WithKind(InvalidArgument("{}: {}", field, fmt::format(format, std::forward<Args>(args)...)),
                  ErrorKind::kUsage);
}

absl::Status CheckName(std::string_view field, std::string_view name) {
  if (name.empty()) return Refused(field, "it is empty; use letters, digits, '.', '_' and '-'");
  if (name.size() > kMaxNameBytes) return Refused(field, "it has {} bytes; use at most {}", name.size(), kMaxNameBytes);
  if (name == "." || name == "..") return Refused(field, "\"{}\" cannot name a folder; use another name", name);
  for (unsigned char c : name) {
    if (!std::isalnum(c) && c != '.' && c != '_' && c != '-') {
      return Refused(field, "\"{}\" has a character other than letters, digits, '.', '_' and '-'; rename it", name);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFile(std::string_view field, const v1::InputFile& file) {
  if (!file.has_digest()) return Refused(field, "it has no digest; upload the file and name its SHA-256 and size");
  const absl::StatusOr<Digest> digest = FromDigestMessage(file.digest());
  if (!digest.ok()) return Refused(field, "its digest is malformed: {}", Message(digest.status()));
  if (digest->bytes > kMaxBlobBytes)
    return Refused(field, "it has {} bytes; a file may have {}", digest->bytes, kMaxBlobBytes);
  if (file.path().size() > kMaxPathBytes)
    return Refused(field, "its path has {} bytes; use at most {}", file.path().size(), kMaxPathBytes);
  if (file.path().find('\0') != std::string::npos) return Refused(field, "its path has a NUL");
  if (file.name().size() > kMaxPathBytes)
    return Refused(field, "its name has {} bytes; use at most {}", file.name().size(), kMaxPathBytes);
  if (!file.name().empty() && !IsContainedPath(file.name())) {
    return Refused(field, "external data \"{}\" lies outside the model's folder; move it inside", file.name());
  }
  return absl::OkStatus();
}

// What each kind of source needs.
struct KindRule {
  v1::SourceKind kind;
  std::string_view name;
  bool architecture;
  int min_files, max_files;
};
constexpr KindRule kKindRules[] = {
    {v1::SOURCE_KIND_ONNX, "onnx", false, 1, kMaxFilesOfModel},
    {v1::SOURCE_KIND_CHECKPOINT, "checkpoint", true, 1, 1},
    {v1::SOURCE_KIND_DUMMY, "dummy", true, 0, 0},
    {v1::SOURCE_KIND_NOOP, "noop", false, 0, 0},
};

absl::Status CheckModel(const std::string& field, const v1::ModelSpec& model) {
  RETURN_IF_ERROR(CheckName(field + ".name", model.name()));
  const auto rule = std::find_if(std::begin(kKindRules), std::end(kKindRules),
                                 [&](const KindRule& r) { return r.kind == model.kind(); });
  if (rule == std::end(kKindRules)) {
    return Refused(field + ".kind", "{} is no kind of source; use ONNX, CHECKPOINT or DUMMY",
                   static_cast<int>(model.kind()));
  }
  if (rule->architecture) {
    RETURN_IF_ERROR(CheckName(field + ".architecture", model.architecture()));
  } else if (!model.architecture().empty()) {
    return Refused(field + ".architecture", "a model of kind {} has none; leave it empty", rule->name);
  }
  if (model.files_size() < rule->min_files || model.files_size() > rule->max_files) {
    return Refused(field + ".files", "there are {}; a model of kind {} takes {}", model.files_size(), rule->name,
                   rule->min_files == rule->max_files ? fmt::format("{}", rule->max_files)
                                                      : fmt::format("{} to {}", rule->min_files, rule->max_files));
  }
  std::set<std::string_view> names;
  for (int i = 0; i < model.files_size(); ++i) {
    const v1::InputFile& file = model.files(i);
    const std::string file_field = fmt::format("{}.files[{}]", field, i);
    RETURN_IF_ERROR(CheckFile(file_field, file));
    if (!names.insert(file.name()).second) {
      return Refused(file_field, "{}",
                     file.name().empty() ? "a second main file; name every file of external data as the model does"
                                         : fmt::format("\"{}\" is there twice; name each file once", file.name()));
    }
  }
  if (rule->min_files > 0 && !names.contains(""))
    return Refused(field + ".files", "none is the main file; leave that one's name empty");
  return absl::OkStatus();
}

absl::Status CheckPairs(const v1::SubmitRequest& request) {
  if (request.pairs().empty()) return Refused("pairs", "there is none; name a target and a precision");
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (int i = 0; i < request.pairs_size(); ++i) {
    const v1::Pair& pair = request.pairs(i);
    const std::string field = fmt::format("pairs[{}]", i);
    if (FindTarget(pair.target()) == nullptr) {
      std::string known;
      for (const TargetInfo& target : Targets()) known += fmt::format("{}{}", known.empty() ? "" : ", ", target.name);
      return Refused(field + ".target", "\"{}\" is unknown; use one of {}", pair.target(), known);
    }
    if (!IsPrecision(pair.precision())) {
      return Refused(field + ".precision", "\"{}\" is unknown; use one of {}", pair.precision(),
                     fmt::join(Precisions(), ", "));
    }
    std::string reason;
    if (!CanExport(pair.target(), pair.precision(), &reason)) {
      return Refused(field, "{} at {} cannot be made: {}", pair.target(), pair.precision(), reason);
    }
    if (!seen.emplace(pair.target(), pair.precision()).second) {
      return Refused(field, "{} at {} is there twice; name each pair once", pair.target(), pair.precision());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNumbers(const std::string& field, const google::protobuf::RepeatedField<double>& numbers) {
  if (numbers.size() > kMaxNumbers) return Refused(field, "there are {}; at most {}", numbers.size(), kMaxNumbers);
  for (const double number : numbers) {
    if (!std::isfinite(number)) return Refused(field, "{} is no finite number", number);
  }
  return absl::OkStatus();
}

absl::Status CheckTensorNames(const std::string& field, const google::protobuf::RepeatedPtrField<std::string>& names) {
  if (names.size() > kMaxTensors) return Refused(field, "there are {}; at most {}", names.size(), kMaxTensors);
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (name.empty()) return Refused(field, "a name is empty");
    if (name.size() > kMaxPathBytes)
      return Refused(field, "a name has {} bytes; use at most {}", name.size(), kMaxPathBytes);
    if (!seen.insert(name).second) return Refused(field, "\"{}\" is there twice; name each tensor once", name);
  }
  return absl::OkStatus();
}

absl::Status CheckInterface(const v1::InterfaceOptions& options) {
  if (options.shapes().size() > kMaxTensors)
    return Refused("options.interface.shapes", "there are {}; at most {}", options.shapes().size(), kMaxTensors);
  for (const auto& [input, shape] : options.shapes()) {
    const std::string field = fmt::format("options.interface.shapes[\"{}\"]", input);
    if (input.empty()) return Refused(field, "the input's name is missing");
    if (shape.values_size() > kMaxRank)
      return Refused(field, "its rank is {}; at most {}", shape.values_size(), kMaxRank);
    for (int64_t size : shape.values()) {
      if (size < 1 || size > kMaxDimension) return Refused(field, "size {} is not in 1 to {}", size, kMaxDimension);
    }
  }
  if (options.fix().size() > kMaxTensors)
    return Refused("options.interface.fix", "there are {}; at most {}", options.fix().size(), kMaxTensors);
  for (const auto& [input, fixed] : options.fix()) {
    const std::string field = fmt::format("options.interface.fix[\"{}\"]", input);
    if (input.empty()) return Refused(field, "the input's name is missing");
    if (fixed.values().empty()) return Refused(field, "it has no value");
    RETURN_IF_ERROR(CheckNumbers(field, fixed.values()));
  }
  RETURN_IF_ERROR(CheckNumbers("options.interface.mean", options.mean()));
  RETURN_IF_ERROR(CheckNumbers("options.interface.std", options.std()));
  for (const double deviation : options.std()) {
    if (!(deviation > 0)) return Refused("options.interface.std", "{} is not above 0", deviation);
  }
  if (options.has_scale() && !(std::isfinite(options.scale()) && options.scale() > 0))
    return Refused("options.interface.scale", "{} is no positive number", options.scale());
  RETURN_IF_ERROR(CheckTensorNames("options.interface.cut_inputs", options.cut_inputs()));
  RETURN_IF_ERROR(CheckTensorNames("options.interface.cut_outputs", options.cut_outputs()));
  RETURN_IF_ERROR(CheckTensorNames("options.interface.input_names", options.input_names()));
  return CheckTensorNames("options.interface.output_names", options.output_names());
}

absl::Status CheckOptions(const v1::ExportOptions& options) {
  RETURN_IF_ERROR(CheckInterface(options.interface()));
  if (options.opset() != 0 && (options.opset() < kMinOpset || options.opset() > kMaxOpset)) {
    return Refused("options.opset", "{} is not in {} to {}; 0 stands for the default", options.opset(), kMinOpset,
                   kMaxOpset);
  }
  if (options.samples() < 0 || options.samples() > kMaxSamples) {
    return Refused("options.samples", "{} is not in 1 to {}; 0 stands for the default", options.samples(), kMaxSamples);
  }
  if (options.has_num_classes() && (options.num_classes() < 1 || options.num_classes() > kMaxClasses))
    return Refused("options.num_classes", "{} is not in 1 to {}", options.num_classes(), kMaxClasses);
  if (options.has_input_size() && (options.input_size() < 1 || options.input_size() > kMaxInputSize))
    return Refused("options.input_size", "{} is not in 1 to {}", options.input_size(), kMaxInputSize);
  if (options.has_tolerance() && !(std::isfinite(options.tolerance()) && options.tolerance() > 0)) {
    return Refused("options.tolerance", "{} is no positive number", options.tolerance());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateRequest(const v1::SubmitRequest& request) {
  if (request.idempotency_key().size() > kMaxNameBytes) {
    return Refused("idempotency_key", "it has {} bytes; use at most {}", request.idempotency_key().size(),
                   kMaxNameBytes);
  }
  for (unsigned char c : request.idempotency_key()) {
    if (!std::isgraph(c))
      return Refused("idempotency_key", "it has a space or a control character; use printable ASCII");
  }
  if (request.priority() < -kMaxPriority || request.priority() > kMaxPriority) {
    return Refused("priority", "{} is not in {} to {}", request.priority(), -kMaxPriority, kMaxPriority);
  }
  if (request.timeout_seconds() > kMaxTimeoutSeconds)
    return Refused("timeout_seconds", "{} is not in 0 to {}", request.timeout_seconds(), kMaxTimeoutSeconds);
  if (request.models().empty()) return Refused("models", "there is none; name at least one model");
  RETURN_IF_ERROR(CheckPairs(request));
  const int64_t tasks = int64_t{request.models_size()} * (1 + request.pairs_size());
  if (tasks > kMaxTasks) {
    return Refused("models", "{} models in {} pairs make {} tasks; a request may have {}: submit several",
                   request.models_size(), request.pairs_size(), tasks, kMaxTasks);
  }
  std::set<std::string_view> names;
  for (int i = 0; i < request.models_size(); ++i) {
    const std::string field = fmt::format("models[{}]", i);
    RETURN_IF_ERROR(CheckModel(field, request.models(i)));
    if (!names.insert(request.models(i).name()).second) {
      return Refused(field + ".name", "\"{}\" names two models; names are unique in a request",
                     request.models(i).name());
    }
  }
  return CheckOptions(request.options());
}

}  // namespace slipway
