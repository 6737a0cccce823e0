#include "client/cli/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "client/cli/cells.h"
#include "client/cli/interface_flags.h"
#include "client/lib/farm_client.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "convert/import/zoo/zoo.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

// As a POSIX shell reads it back.
std::string Quoted(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-/@=,:+%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c == '\n' ? ' ' : c);
  return quoted + "'";
}

std::string Options(const ExportPlan& plan) {
  std::string text;
  for (const auto& [flag, value] : ToFlags(plan.interface)) {
    text += " --" + flag;
    if (!value.empty()) text += " " + Quoted(value);
  }
  if (plan.opset) text += fmt::format(" --opset {}", *plan.opset);
  if (plan.samples) text += fmt::format(" --samples {}", *plan.samples);
  if (plan.tolerance) text += fmt::format(" --tolerance {}", *plan.tolerance);
  if (plan.dummy) text += " --dummy";
  if (plan.num_classes) text += fmt::format(" --num-classes {}", *plan.num_classes);
  if (plan.input_size) text += fmt::format(" --input-size {}", *plan.input_size);
  if (!plan.verify) text += " --no-verify";
  return text;
}

// Whether the weights have as many classes as were asked for. Weights that cannot be read or do not fit fail their model
// in the farm, with all that is wrong about them.
absl::Status CheckClasses(const ExportPlan& plan, const ModelArgument& model) {
  const std::string& path = model.files.front().path;
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) return absl::OkStatus();
  const absl::StatusOr<Checkpoint> weights = ReadCheckpoint(*std::move(file));
  if (!weights.ok()) return absl::OkStatus();
  const absl::Status built =
      BuildArchitecture(model.architecture, *weights, {.input_size = plan.input_size, .classes = plan.num_classes})
          .status();
  if (built.ok() || KindOf(built) != ErrorKind::kUsage) return absl::OkStatus();
  return Annotate(built, "--num-classes: " + path);
}

absl::Status CheckArchitectureOptions(const ExportPlan& plan) {
  if (!plan.num_classes && !plan.input_size) return absl::OkStatus();
  for (const ModelArgument& model : plan.models) {
    if (model.architecture.empty()) {
      return WithKind(InvalidArgument("--num-classes and --input-size are for built-in classifiers, not for {}",
                                      model.files.front().path),
                      ErrorKind::kUsage);
    }
    RETURN_IF_ERROR(CheckOptions(*FindArchitecture(model.architecture),
                                 {.input_size = plan.input_size, .classes = plan.num_classes}));
    if (model.kind == "checkpoint" && plan.num_classes) RETURN_IF_ERROR(CheckClasses(plan, model));
  }
  return absl::OkStatus();
}

v1::SourceKind KindOfSource(const ModelArgument& model) {
  return model.kind == "onnx"    ? v1::SOURCE_KIND_ONNX
         : model.kind == "dummy" ? v1::SOURCE_KIND_DUMMY
                                 : v1::SOURCE_KIND_CHECKPOINT;
}

}  // namespace

absl::StatusOr<ExportPlan> MakePlan(const Settings& settings, const std::vector<std::string>& arguments) {
  ExportPlan plan;
  ASSIGN_OR_RETURN(PairSelection selection, SelectPairs(settings.List("target"), settings.List("precision")));
  plan.pairs = std::move(selection.pairs);
  plan.notes = std::move(selection.left_out);
  plan.dummy = settings.Switch("dummy");
  ASSIGN_OR_RETURN(plan.models, ResolveModels(arguments, settings.Text("weights"), plan.dummy));
  if (settings.Has("num-classes")) plan.num_classes = settings.Integer("num-classes", 0);
  if (settings.Has("input-size")) plan.input_size = settings.Integer("input-size", 0);
  RETURN_IF_ERROR(CheckArchitectureOptions(plan));
  ASSIGN_OR_RETURN(plan.interface, ReadInterface(settings, plan.models, plan.notes));
  if (settings.Has("opset")) plan.opset = settings.Integer("opset", 0);
  if (settings.Has("samples")) plan.samples = settings.Integer("samples", 0);
  plan.tolerance = settings.Number("tolerance");
  plan.verify = !settings.Switch("no-verify");
  plan.priority = static_cast<int>(settings.Integer("priority", 0));
  plan.fresh = settings.Switch("fresh");
  plan.timeout = settings.Duration("timeout");
  if (plan.timeout > kLongestTimeout) {
    return WithKind(InvalidArgument("--timeout: {} is longer than {}", absl::FormatDuration(*plan.timeout),
                                    absl::FormatDuration(kLongestTimeout)),
                    ErrorKind::kUsage);
  }
  plan.out = settings.Text("out", "exports");
  return plan;
}

v1::SubmitRequest ToRequest(const ExportPlan& plan, const std::string& idempotency_key) {
  v1::SubmitRequest request;
  request.set_idempotency_key(idempotency_key);
  request.set_client_version(SLIPWAY_VERSION);
  request.set_priority(plan.priority);
  request.set_fresh(plan.fresh);
  if (plan.timeout) {
    request.set_timeout_seconds(
        static_cast<uint32_t>(absl::ToInt64Seconds(absl::Ceil(*plan.timeout, absl::Seconds(1)))));
  }
  for (const ModelArgument& model : plan.models) {
    v1::ModelSpec* spec = request.add_models();
    spec->set_name(model.name);
    spec->set_kind(KindOfSource(model));
    spec->set_architecture(model.architecture);
    for (const ModelFile& file : model.files) {
      v1::InputFile* input = spec->add_files();
      input->set_path(file.path);
      input->set_name(file.name);
      *input->mutable_digest() = ToMessage(file.digest);
    }
  }
  for (const auto& [target, precision] : plan.pairs) {
    v1::Pair* pair = request.add_pairs();
    pair->set_target(target);
    pair->set_precision(precision);
  }
  v1::ExportOptions* options = request.mutable_options();
  *options->mutable_interface() = ToMessage(plan.interface);
  options->set_opset(static_cast<int>(plan.opset.value_or(0)));
  options->set_samples(static_cast<int>(plan.samples.value_or(0)));
  options->set_no_verify(!plan.verify);
  if (plan.tolerance) options->set_tolerance(*plan.tolerance);
  if (plan.num_classes) options->set_num_classes(*plan.num_classes);
  if (plan.input_size) options->set_input_size(*plan.input_size);
  return request;
}

std::string Reproduce(const ExportPlan& plan) {
  std::string text = "slipway export";
  for (const ModelArgument& model : plan.models) text += " " + Quoted(model.argument);
  // Pairs are a product of targets and precisions only when nothing was left out: precisions of one target at a time.
  std::set<std::string> targets, precisions;
  for (const auto& [target, precision] : plan.pairs) targets.insert(target), precisions.insert(precision);
  text += fmt::format(
      " --target {} --precision {}", fmt::join(targets, ","),
      targets.size() * precisions.size() == plan.pairs.size() ? fmt::format("{}", fmt::join(precisions, ",")) : "all");
  return text + Options(plan);
}

std::string Reproduce(const ExportPlan& plan, const ModelArgument& model,
                      const std::pair<std::string, std::string>& pair) {
  return fmt::format("slipway export {} --target {} --precision {}{}", Quoted(model.argument), pair.first, pair.second,
                     Options(plan));
}

}  // namespace slipway::cli
