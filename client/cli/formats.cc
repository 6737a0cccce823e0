// slipway formats: what can be made of what, as the targets themselves say it.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/cli/outcome.h"
#include "client/cli/verb.h"
#include "client/report/text.h"
#include "common/base/error.h"
#include "convert/capabilities/capabilities.h"
#include "convert/inspect/support.h"
#include "convert/onnx_form/onnx_form.h"
#include "convert/runtimes/runtime.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

std::string Join(const std::vector<std::string>& pieces, std::string_view between = ", ") {
  std::string text;
  for (const std::string& piece : pieces) text += (text.empty() ? "" : std::string(between)) + piece;
  return text;
}

std::vector<std::string> Configurations(const FormatSupport& format) {
  std::vector<std::string> all;
  for (const std::string& precision : format.precisions) {
    for (const std::string& one : JudgeConfigurations(format.target, precision)) {
      if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
    }
  }
  return all;
}

std::string Judges(const FormatSupport& format) {
  return fmt::format("{} ({})", format.judge, Join(Configurations(format)));
}

std::string Facts(const FormatSupport& format) {
  std::vector<std::string> facts;
  for (const auto& [key, value] : format.facts) facts.push_back(key + " " + value);
  return Join(facts);
}

std::string OpenSizes(const FormatSupport& format) {
  std::vector<std::string> open;
  if (format.dynamic_batch) open.emplace_back("batch");
  if (format.dynamic_image) open.emplace_back("height and width");
  return open.empty() ? "none" : Join(open);
}

Rows FormatRows(const std::vector<FormatSupport>& formats) {
  Rows rows = {{"target", "precisions", "files", "needs", "the file says", "open sizes", "judged by"}};
  for (const FormatSupport& format : formats) {
    rows.push_back({format.target, Join(format.precisions), Join(format.files),
                    format.requires_runtime.empty() ? "-" : format.requires_runtime,
                    format.facts.empty() ? "-" : Facts(format), OpenSizes(format), Judges(format)});
  }
  return rows;
}

// Of an input or output: the type that the artifact has for it.
Rows TypeRows(const std::vector<FormatSupport>& formats) {
  Rows rows = {{"source's type"}};
  for (const FormatSupport& format : formats) rows[0].push_back(format.target);
  for (size_t i = 0; i < formats.front().types.size(); ++i) {
    std::vector<std::string> row = {formats.front().types[i].first};
    for (const FormatSupport& format : formats) row.push_back(format.types[i].second.value_or("no"));
    rows.push_back(std::move(row));
  }
  return rows;
}

// "yes", "no", or which forms.
std::string Answer(const OpSupport& op, const std::string& target) {
  std::vector<std::string> can, cannot;
  for (const OpForm& form : op.forms) (form.refusals.contains(target) ? cannot : can).push_back(form.label);
  if (cannot.empty()) return "yes";
  if (can.empty()) return "no";
  return can.size() < cannot.size() ? "only " + Join(can, "; ") : "not " + Join(cannot, "; ");
}

Rows OperatorRows(const std::vector<OpSupport>& operators) {
  Rows rows = {{"operator"}};
  for (const TargetInfo& target : Targets()) rows[0].emplace_back(target.name);
  for (const OpSupport& op : operators) {
    std::vector<std::string> row = {op.op};
    for (const TargetInfo& target : Targets()) row.push_back(Answer(op, std::string(target.name)));
    rows.push_back(std::move(row));
  }
  return rows;
}

// Without the sample's own names: "NCNN has no layer for it; …".
std::string Reason(std::string text) {
  text = text.substr(0, text.find(" | "));
  const size_t output = text.find("(output '");
  const size_t colon = output == std::string::npos ? output : text.find("'): ", output);
  return colon == std::string::npos ? text : text.substr(colon + 4);
}

std::string Markdown(const Rows& rows) {
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    text += "|";
    for (const std::string& cell : rows[i]) text += " " + cell + " |";
    text += "\n";
    if (i > 0) continue;
    text += "|";
    for (size_t column = 0; column < rows[i].size(); ++column) text += "---|";
    text += "\n";
  }
  return text;
}

std::string Page(const std::vector<FormatSupport>& formats, const std::vector<OpSupport>& operators) {
  std::string text = fmt::format(
      "# Formats and operators\n\n"
      "Printed by `slipway formats --markdown`, which converts small models and writes down what became of them; a "
      "test compares. After a change:\n"
      "`build/bin/slipway formats --markdown > docs/operators.md`.\n\n"
      "## Formats\nONNX files of opsets {} to {} can be read. Sizes that are open in the source stay open in the "
      "artifact where the table says so; `--shape` "
      "fixes them.\n\n{}\n"
      "What an input or output of a source has for a type in the artifact (`io_schema` in the manifest says it for "
      "each):\n\n{}\n"
      "## Operators\nONNX's names. \"not …\" names forms that are refused; further down is why. A form that folds away "
      "before it reaches the format "
      "(arithmetic of constants and of shapes, say) is possible everywhere. `slipway inspect MODEL --for TARGET` asks "
      "the same of every node of a model.\n\n{}\n"
      "## Why not\n",
      kMinOpset, kMaxOpset, Markdown(FormatRows(formats)), Markdown(TypeRows(formats)),
      Markdown(OperatorRows(operators)));
  for (const TargetInfo& target : Targets()) {
    // By reason, in the order in which they first occur.
    std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
    for (const OpSupport& op : operators) {
      for (const OpForm& form : op.forms) {
        const auto refusal = form.refusals.find(std::string(target.name));
        if (refusal == form.refusals.end()) continue;
        const std::string reason = Reason(refusal->second);
        auto same = std::ranges::find(reasons, reason, [](const auto& row) { return row.first; });
        if (same == reasons.end()) same = reasons.insert(reasons.end(), {reason, {}});
        same->second.push_back(form.label.empty() ? op.op : fmt::format("{} ({})", op.op, form.label));
      }
    }
    std::string list;
    for (const auto& [reason, ops] : reasons) list += fmt::format("- {}: {}\n", reason, Join(ops));
    text += fmt::format("\n### {}\n{}", target.name, list.empty() ? "Nothing is refused.\n" : list);
  }
  return text;
}

Json ToJson(const FormatSupport& format) {
  Json facts = Json::object(), types = Json::object();
  for (const auto& [key, value] : format.facts) facts[key] = value;
  for (const auto& [type, as] : format.types) types[type] = as ? Json(*as) : Json();
  return {{"target", format.target},
          {"backend", format.backend},
          {"precisions", format.precisions},
          {"files", format.files},
          {"requires", format.requires_runtime.empty() ? Json() : Json(format.requires_runtime)},
          {"facts", facts},
          {"dynamic_batch", format.dynamic_batch},
          {"dynamic_image", format.dynamic_image},
          {"types", types},
          {"judge", format.judge},
          {"judge_configurations", Configurations(format)}};
}

Json ToJson(const OpSupport& op) {
  Json forms = Json::array();
  for (const OpForm& form : op.forms) {
    Json targets = Json::object();  // null: it can
    for (const TargetInfo& target : Targets()) {
      const auto refusal = form.refusals.find(std::string(target.name));
      targets[std::string(target.name)] = refusal == form.refusals.end() ? Json() : Json(Reason(refusal->second));
    }
    forms.push_back({{"form", form.label}, {"refusals", targets}});
  }
  return {{"operator", op.op}, {"forms", forms}};
}

void Print(const Rows& rows) {
  for (const std::string& line : Columns(rows)) std::puts(line.c_str());
}

}  // namespace

int RunFormats(const Settings& settings, const Arguments&) {
  const absl::StatusOr<std::vector<FormatSupport>> formats = AskFormats();
  if (!formats.ok()) return Fail(formats.status());
  const bool page = settings.Switch("markdown"), ops = settings.Switch("ops") || page;
  absl::StatusOr<std::vector<OpSupport>> operators = std::vector<OpSupport>();
  if (ops) operators = AskOperators();
  if (!operators.ok()) return Fail(operators.status());
  if (settings.Switch("json")) {
    Json json = {{"schema", "slipway.formats/1"}, {"onnx_opsets", {kMinOpset, kMaxOpset}}};
    for (const FormatSupport& format : *formats) json["formats"].push_back(ToJson(format));
    for (const OpSupport& op : *operators) json["operators"].push_back(ToJson(op));
    std::puts(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return kExitOk;
  }
  if (page) {
    std::fputs(Page(*formats, *operators).c_str(), stdout);
    return kExitOk;
  }
  if (ops) {
    Print(OperatorRows(*operators));
    return kExitOk;
  }
  Print(FormatRows(*formats));
  std::puts("");
  Print(TypeRows(*formats));
  std::puts(
      fmt::format("\nONNX files of opsets {} to {} can be read. Operators: slipway formats --ops", kMinOpset, kMaxOpset)
          .c_str());
  return kExitOk;
}

}  // namespace slipway::cli
