#include "client/cli/models.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/file_beside.h"
#include "convert/import/onnx/onnx_import.h"
#include "convert/import/zoo/zoo.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kCheckpointExtensions = {".pt", ".pth", ".npz", ".safetensors"};

bool IsNameCharacter(unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; }

bool IsName(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsNameCharacter); }

absl::Status CheckName(const std::string& name) {
  if (IsModelName(name)) return absl::OkStatus();
  return InvalidArgument("a model cannot be named '{}': choose another with NAME=MODEL", name);
}

std::string AsName(std::string text) {
  for (char& c : text) {
    if (!IsNameCharacter(static_cast<unsigned char>(c))) c = '-';
  }
  while (!text.empty() && text.front() == '.') text.erase(0, 1);
  return text.empty() ? "model" : text;
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool IsCheckpoint(const fs::path& path) {
  return std::find(kCheckpointExtensions.begin(), kCheckpointExtensions.end(), path.extension().string()) !=
         kCheckpointExtensions.end();
}

std::string List(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// One model that an argument stands for, before it has its final name.
struct Candidate {
  ModelArgument model;  // name: only if given
  fs::path main;        // absolute: its folders make colliding stems differ
};

absl::Status CheckArchitecture(const std::string& architecture) {
  if (FindArchitecture(architecture) != nullptr) return absl::OkStatus();
  const std::vector<std::string> nearest = NearestArchitectures(architecture);
  return InvalidArgument("there is no built-in architecture '{}': did you mean {}?", architecture, List(nearest));
}

absl::StatusOr<Candidate> MadeUp(const std::string& architecture) {
  if (architecture.find('@') != std::string::npos || Exists(architecture))
    return InvalidArgument("--dummy makes weights up for a built-in architecture: '{}' has its own", architecture);
  RETURN_IF_ERROR(CheckArchitecture(architecture));
  Candidate candidate;
  candidate.model.kind = "dummy";
  candidate.model.architecture = architecture;
  candidate.model.argument = architecture;
  candidate.main = architecture;
  return candidate;
}

absl::StatusOr<Candidate> Checkpoint(const std::string& architecture, const std::string& path) {
  RETURN_IF_ERROR(CheckArchitecture(architecture));
  if (!Exists(path)) return InvalidArgument("{}: no such file (weights of {})", path, architecture);
  if (IsFolder(path)) return InvalidArgument("{} is a folder, not a checkpoint", path);
  Candidate candidate;
  candidate.model.kind = "checkpoint";
  candidate.model.architecture = architecture;
  candidate.model.files = {{path, ""}};
  candidate.model.argument = architecture + "@" + path;
  candidate.main = fs::absolute(path).lexically_normal();
  return candidate;
}

absl::StatusOr<Candidate> Onnx(const std::string& path) {
  Candidate candidate;
  candidate.model.kind = "onnx";
  candidate.model.files = {{path, ""}};
  candidate.model.argument = path;
  candidate.main = fs::absolute(path).lexically_normal();
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  // A file that is no model, or whose data lies outside its folder or is missing, fails in the farm with its reason.
  absl::StatusOr<std::vector<std::string>> external = ExternalDataFiles((*file)->bytes());
  if (!external.ok()) return candidate;
  for (const std::string& name : *external) {
    const absl::StatusOr<fs::path> beside = FileBeside(path, name);
    if (absl::IsNotFound(beside.status())) continue;
    if (!beside.ok()) return Annotate(beside.status(), "external data");
    candidate.model.files.push_back({beside->string(), name});
  }
  return candidate;
}

absl::StatusOr<std::vector<Candidate>> Folder(const std::string& path) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".onnx" && it->is_regular_file()) files.push_back(it->path());
  }
  if (error) return InvalidArgument("{}: {}", path, error.message());
  if (files.empty()) return InvalidArgument("{} holds no .onnx file", path);
  std::sort(files.begin(), files.end());
  std::vector<Candidate> candidates;
  for (const fs::path& file : files) {
    ASSIGN_OR_RETURN(Candidate candidate, Onnx(file.string()));
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

absl::StatusOr<std::vector<Candidate>> FromText(const std::string& text, const std::string& weights, bool dummy) {
  if (dummy) {
    ASSIGN_OR_RETURN(Candidate candidate, MadeUp(text));
    return std::vector<Candidate>{std::move(candidate)};
  }
  if (!weights.empty()) {
    if (text.find('@') != std::string::npos || Exists(text)) {
      return InvalidArgument("--weights needs a built-in architecture, '{}' is none", text);
    }
    ASSIGN_OR_RETURN(Candidate candidate, Checkpoint(text, weights));
    return std::vector<Candidate>{std::move(candidate)};
  }
  if (Exists(text)) {
    if (IsFolder(text)) return Folder(text);
    if (IsCheckpoint(text)) {
      return InvalidArgument("{} holds weights only: say of which architecture, as ARCH@{} (such as mtcnn-pnet@{})",
                             text, text, text);
    }
    ASSIGN_OR_RETURN(Candidate candidate, Onnx(text));
    return std::vector<Candidate>{std::move(candidate)};
  }
  if (const size_t at = text.find('@'); at != std::string::npos) {
    ASSIGN_OR_RETURN(Candidate candidate, Checkpoint(text.substr(0, at), text.substr(at + 1)));
    return std::vector<Candidate>{std::move(candidate)};
  }
  if (FindArchitecture(text) != nullptr) {
    return InvalidArgument("{} needs weights: {}@FILE, --weights FILE or --dummy", text, text);
  }
  // Neither a path nor an architecture: whichever the user meant, the message helps.
  if (text.find('/') == std::string::npos && text.find('.') == std::string::npos) {
    return InvalidArgument("'{}' is neither a file nor a built-in architecture: did you mean {}?", text,
                           List(NearestArchitectures(text)));
  }
  return InvalidArgument("{}: no such file or folder", text);
}

absl::StatusOr<std::vector<Candidate>> Expand(const std::string& argument, const std::string& weights, bool dummy) {
  const size_t equals = argument.find('=');
  const bool named = equals != std::string::npos && IsName(argument.substr(0, equals)) && !Exists(argument);
  if (!named) return FromText(argument, weights, dummy);
  const std::string name = argument.substr(0, equals);
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(std::vector<Candidate> candidates, FromText(argument.substr(equals + 1), weights, dummy));
  if (candidates.size() != 1) {
    return InvalidArgument("'{}' names {} models at once: a name needs one", argument, candidates.size());
  }
  candidates[0].model.name = name;
  return candidates;
}

// The last `folders` folders and the stem: "a-model" of /x/a/model.onnx with one.
std::string NameWithFolders(const fs::path& main, int folders) {
  std::string name = main.stem().string();
  fs::path folder = main.parent_path();
  for (; folders > 0 && folder.has_filename(); --folders, folder = folder.parent_path()) {
    name = folder.filename().string() + "-" + name;
  }
  return AsName(name);
}

int DepthOf(const fs::path& main) { return static_cast<int>(std::distance(main.begin(), main.end())); }

// Gives names to those without: the stem, and as many folders in front as it takes to be unique.
absl::Status NameAll(std::vector<Candidate>& candidates) {
  std::set<std::string> taken;
  for (const Candidate& candidate : candidates) {
    if (candidate.model.name.empty()) continue;
    if (!taken.insert(candidate.model.name).second)
      return InvalidArgument("two models are named '{}'", candidate.model.name);
  }
  std::vector<Candidate*> open;
  int deepest = 0;
  for (Candidate& candidate : candidates) {
    if (!candidate.model.name.empty()) continue;
    open.push_back(&candidate);
    deepest = std::max(deepest, DepthOf(candidate.main));
  }
  for (int folders = 0; !open.empty() && folders <= deepest; ++folders) {
    std::map<std::string, int> uses;
    for (const Candidate* candidate : open) ++uses[NameWithFolders(candidate->main, folders)];
    std::vector<Candidate*> still;
    std::vector<std::string> settled;
    for (Candidate* candidate : open) {
      const std::string name = NameWithFolders(candidate->main, folders);
      if (uses[name] > 1 || taken.contains(name)) {
        still.push_back(candidate);
      } else {
        candidate->model.name = name;
        settled.push_back(name);
      }
    }
    taken.insert(settled.begin(), settled.end());
    open = std::move(still);
  }
  if (!open.empty()) {
    return InvalidArgument("{} and another model would have the same name: name them with NAME=MODEL",
                           open.front()->model.argument);
  }
  for (const Candidate& candidate : candidates) RETURN_IF_ERROR(CheckName(candidate.model.name));
  return absl::OkStatus();
}

}  // namespace

bool IsModelName(std::string_view name) { return IsName(name) && name.front() != '.' && name != "manifest.json"; }

absl::StatusOr<std::vector<ModelArgument>> ResolveModels(const std::vector<std::string>& arguments,
                                                         const std::string& weights, bool dummy) {
  const auto usage = [](const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); };
  if (!weights.empty() && dummy) return usage(InvalidArgument("--weights and --dummy: give one of them"));
  if (!weights.empty() && arguments.size() != 1) return usage(InvalidArgument("--weights needs exactly one MODEL"));
  std::vector<Candidate> all;
  for (const std::string& argument : arguments) {
    absl::StatusOr<std::vector<Candidate>> candidates = Expand(argument, weights, dummy);
    if (!candidates.ok()) return usage(candidates.status());
    for (Candidate& candidate : *candidates) all.push_back(std::move(candidate));
  }
  if (absl::Status status = NameAll(all); !status.ok()) return usage(status);
  std::vector<ModelArgument> models;
  for (Candidate& candidate : all) {
    candidate.model.argument = candidate.model.name + "=" + candidate.model.argument;
    models.push_back(std::move(candidate.model));
  }
  return models;
}

}  // namespace slipway::cli
