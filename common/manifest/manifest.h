// manifest.json ("slipway.manifest/1"): what became of every requested cell. For readers: docs/manifest.md and
// manifest.schema.json.
//
// The farm knows what an artifact is (TaskResult::entry), the client knows where it put it. A Manifest holds both and
// writes them as one document in which every field of the schema is present, unknown ones as null.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/digest.h"

namespace slipway {

struct ManifestFile {
  std::string path;  // '/'-separated; of a source: as the user gave it; of an artifact: relative to its folder
  Digest digest;     // all zero: unknown, as of a source that was never read
};

struct ManifestArtifact {
  std::string target;
  std::string precision;  // as requested: names the folder
  std::string backend;
  std::string status;               // "passed", "unverified", "parity_failed", "failed", "skipped", "cancelled"
  std::string reason;               // one line; "" only when passed
  std::string entry;                // the farm's JSON object; "" if there is none
  std::string folder;               // holds the files, relative to the manifest; "" when none were kept
  std::vector<ManifestFile> files;  // empty when none were kept
  int attempts = 0;                 // 0: unknown
  std::string worker;               // "": unknown
  std::string reproduce;            // a command line
};

struct ManifestModel {
  std::string name;
  std::string kind;  // "onnx", "checkpoint"
  std::string architecture;
  std::vector<ManifestFile> sources;
  std::string entry;  // the farm's JSON object; "" if there is none
  std::vector<ManifestArtifact> artifacts;
};

struct Manifest {
  std::string version;     // slipway's
  std::string request_id;  // "": nothing was submitted
  absl::Time created;
  std::string reproduce;
  std::vector<ManifestModel> models;

  // The document, two spaces of indentation, newline at the end. `earlier` is the manifest that stood there before ("":
  // none): its cells that are not among ours stay, marked `from` their request. INVALID_ARGUMENT when `earlier` is no
  // manifest; INTERNAL when an entry is no JSON object.
  absl::StatusOr<std::string> ToJson(std::string_view earlier) const;
};

// The JSON Schema of the document.
std::string_view ManifestSchema();

// One line out of any text: control characters become spaces, the ends are trimmed.
std::string OneLine(std::string_view text);

}  // namespace slipway
