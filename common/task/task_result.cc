#include "common/base/file.h"
#include "common/task/fields.h"
#include "common/task/task.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::string_view kSchema = "slipway.result/1";

json OrNull(const std::optional<Digest>& digest) { return digest ? json(digest->ToString()) : json(nullptr); }

absl::StatusOr<ResultFile> ReadFile(const json& value, std::string where) {
  Fields fields(value, std::move(where));
  ResultFile file{fields.String("path"), fields.BlobDigest("digest")};
  if (!IsContainedPath(file.path)) fields.Fail("path", "leaves the cell's folder");
  RETURN_IF_ERROR(fields.Finish());
  return file;
}

}  // namespace

std::string TaskResult::ToJson() const {
  json files_json = json::array();
  for (const ResultFile& file : files) files_json.push_back({{"path", file.path}, {"digest", file.digest.ToString()}});
  // An entry that is no JSON stays a string, which FromJson refuses: the mistake surfaces with its text.
  json entry_json = json::parse(entry, nullptr, /*allow_exceptions=*/false);
  if (entry_json.is_discarded()) entry_json = entry;
  json document = {{"schema", kSchema},        {"entry", std::move(entry_json)}, {"files", files_json},
                   {"parity", OrNull(parity)}, {"reference", OrNull(reference)}, {"emitted", OrNull(emitted)}};
  if (!reason.empty()) document["reason"] = reason;
  return Dump(document);
}

absl::StatusOr<TaskResult> TaskResult::FromJson(std::string_view text) {
  ASSIGN_OR_RETURN(json document, ParseDocument(text, kSchema));
  Fields fields(document, "");
  fields.String("schema");
  TaskResult result;
  result.entry = Dump(fields.Object("entry"));
  const json& files = fields.Array("files");
  for (size_t i = 0; i < files.size(); ++i) {
    absl::StatusOr<ResultFile> file = ReadFile(files[i], fields.Where("files", i));
    if (file.ok()) result.files.push_back(*std::move(file));
    fields.Adopt(file.status());
  }
  if (fields.Has("parity")) result.parity = fields.BlobDigest("parity");
  if (fields.Has("reference")) result.reference = fields.BlobDigest("reference");
  if (fields.Has("emitted")) result.emitted = fields.BlobDigest("emitted");
  if (fields.Has("reason")) result.reason = fields.String("reason");
  RETURN_IF_ERROR(fields.Finish());
  return result;
}

}  // namespace slipway
