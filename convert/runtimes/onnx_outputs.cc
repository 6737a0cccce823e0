#include "convert/runtimes/onnx_outputs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>

#include "common/base/error.h"
#include "convert/onnx_form/onnx.pb.h"

namespace slipway {
namespace {

// Walks the fields of one protobuf message.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> message) : rest_(message) {}

  // The next length-delimited field's number and contents; others are passed over. nullopt at the end or when malformed.
  std::optional<std::pair<uint64_t, std::span<const std::byte>>> Next() {
    while (!rest_.empty()) {
      uint64_t tag = 0, value = 0;
      if (!Varint(tag)) return std::nullopt;
      switch (tag & 7) {
        case 0:
          if (!Varint(value)) return std::nullopt;
          break;
        case 1:
          if (!Skip(8)) return std::nullopt;
          break;
        case 5:
          if (!Skip(4)) return std::nullopt;
          break;
        case 2: {
          if (!Varint(value)) return std::nullopt;
          const auto contents = rest_;
          if (!Skip(value)) return std::nullopt;
          return std::pair(tag >> 3, contents.first(value));
        }
        default:
          malformed_ = true;
          return std::nullopt;
      }
    }
    return std::nullopt;
  }
  bool malformed() const { return malformed_; }

 private:
  bool Varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    malformed_ = true;
    return false;
  }
  bool Skip(uint64_t count) {
    if (count > rest_.size()) {
      malformed_ = true;
      return false;
    }
    rest_ = rest_.subspan(count);
    return true;
  }

  std::span<const std::byte> rest_;
  bool malformed_ = false;
};

// Links (or, across file systems, copies) every other file beside `model` into `folder`: external data resolves there.
absl::Status LinkSiblings(const std::filesystem::path& model, const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path beside = model.has_parent_path() ? model.parent_path() : ".";
  for (std::filesystem::recursive_directory_iterator entries(beside, error), end; !error && entries != end;
       entries.increment(error)) {
    const std::filesystem::path relative = entries->path().lexically_relative(beside);
    if (entries->path() == folder) {
      entries.disable_recursion_pending();
      continue;
    }
    if (entries->is_directory(error)) {
      std::filesystem::create_directories(folder / relative, error);
    } else if (entries->is_regular_file(error) && entries->path() != model) {
      std::filesystem::create_hard_link(entries->path(), folder / relative, error);
      if (error) std::filesystem::copy_file(entries->path(), folder / relative, error);
    }
    if (error) break;
  }
  if (error) return ErrnoStatus(error.value(), "link the files beside " + model.string());
  return absl::OkStatus();
}

// Whether the model keeps tensors in other files: TensorProto.data_location = EXTERNAL of an initializer.
bool HasExternalData(std::span<const std::byte> model) {
  Fields fields(model);
  while (auto field = fields.Next()) {
    if (field->first != onnx::ModelProto::kGraphFieldNumber) continue;
    Fields graph(field->second);
    while (auto member = graph.Next()) {
      if (member->first != onnx::GraphProto::kInitializerFieldNumber) continue;
      Fields tensor(member->second);
      while (auto part = tensor.Next()) {
        if (part->first == onnx::TensorProto::kExternalDataFieldNumber) return true;
      }
    }
  }
  return false;
}

// The strings of field `name` in every graph member of field `member`, in order.
absl::StatusOr<std::vector<std::string>> NamesInGraph(std::span<const std::byte> model, int member_field,
                                                      int name_field) {
  std::vector<std::string> names;
  bool malformed = false, has_graph = false;
  Fields fields(model);
  while (auto field = fields.Next()) {
    if (field->first != onnx::ModelProto::kGraphFieldNumber) continue;
    has_graph = true;
    Fields graph(field->second);
    while (auto member = graph.Next()) {
      if (member->first != static_cast<uint64_t>(member_field)) continue;
      Fields parts(member->second);
      while (auto part = parts.Next()) {
        if (part->first != static_cast<uint64_t>(name_field)) continue;
        names.emplace_back(reinterpret_cast<const char*>(part->second.data()), part->second.size());
      }
      malformed |= parts.malformed();
    }
    malformed |= graph.malformed();
  }
  if (malformed || fields.malformed() || !has_graph) return DataLoss("the file is no ONNX model");
  return names;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> OnnxOutputNames(std::span<const std::byte> model) {
  return NamesInGraph(model, onnx::GraphProto::kOutputFieldNumber, onnx::ValueInfoProto::kNameFieldNumber);
}

absl::StatusOr<std::vector<std::string>> OnnxInnerNames(std::span<const std::byte> model) {
  ASSIGN_OR_RETURN(std::vector<std::string> names,
                   NamesInGraph(model, onnx::GraphProto::kNodeFieldNumber, onnx::NodeProto::kOutputFieldNumber));
  ASSIGN_OR_RETURN(const std::vector<std::string> outputs, OnnxOutputNames(model));
  std::erase_if(names, [&](const std::string& name) { return name.empty() || std::ranges::count(outputs, name) > 0; });
  return names;
}

absl::StatusOr<OnnxCopy> CopyWithOutputs(const std::filesystem::path& model, const std::vector<std::string>& names,
                                         const std::filesystem::path& scratch) {
  ASSIGN_OR_RETURN(auto original, MappedFile::Open(model));
  ASSIGN_OR_RETURN(const std::vector<std::string> present, OnnxOutputNames(original->bytes()));
  // Protobuf merges a message field that comes twice and appends to its repeated fields: a second `graph` with outputs only
  // adds them to the first.
  onnx::ModelProto suffix;
  std::vector<std::string> added;
  for (const std::string& name : names) {
    if (std::ranges::count(present, name) + std::ranges::count(added, name) > 0) continue;
    added.push_back(name);
    suffix.mutable_graph()->add_output()->set_name(name);
  }
  ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Create(scratch, "outputs-"));
  OnnxCopy copy{std::move(folder), {}};
  copy.model = copy.folder.path() / model.filename();
  if (HasExternalData(original->bytes())) RETURN_IF_ERROR(LinkSiblings(model, copy.folder.path()));

  UniqueFd fd(open(model.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open " + model.string());
  RETURN_IF_ERROR(CopyToNewFile(fd.get(), copy.model));
  std::ofstream file(copy.model, std::ios::binary | std::ios::app);
  file << suffix.SerializeAsString();
  file.close();
  if (!file) return ErrnoStatus(EIO, "write " + copy.model.string());
  return copy;
}

}  // namespace slipway
