// The reference bundle's file: "SLIPREF1", u64 LE length of the header, the header (JSON), then the tensors' bytes, each at a
// multiple of 64 from the file's beginning. The header refers to tensors by offset.
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "convert/parity/parity.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "SLIPREF1";
constexpr uint64_t kPrefix = 16;
constexpr uint64_t kAlignment = 64;

uint64_t Aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

// Describes tensors, giving each an offset from the beginning of the data.
class Layout {
 public:
  json Describe(const NamedTensors& tensors) {
    json list = json::array();
    for (const auto& [name, tensor] : tensors) {
      list.push_back(
          {{"name", name}, {"dtype", std::string(Name(tensor.type()))}, {"shape", tensor.shape()}, {"offset", end_}});
      placed_.emplace_back(end_, tensor);
      end_ = Aligned(end_ + tensor.bytes().size());
    }
    return list;
  }
  void WriteTo(std::string& file, uint64_t begin) const {
    file.resize(begin + end_);
    for (const auto& [offset, tensor] : placed_) {
      if (tensor.size() > 0) std::memcpy(file.data() + begin + offset, tensor.bytes().data(), tensor.bytes().size());
    }
  }

 private:
  uint64_t end_ = 0;
  std::vector<std::pair<uint64_t, Tensor>> placed_;
};

absl::Status Malformed(std::string_view what) { return DataLoss("the reference bundle is malformed: {}", what); }

absl::StatusOr<std::string> StringIn(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_string())
    return Malformed(fmt::format("no '{}'", key));
  return found->get<std::string>();
}

absl::StatusOr<json> ListIn(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_array()) return Malformed(fmt::format("no '{}'", key));
  return *found;
}

absl::StatusOr<NamedTensors> ReadTensors(const json& sample, const char* key, uint64_t begin,
                                         const std::shared_ptr<const MappedFile>& file) {
  ASSIGN_OR_RETURN(const json list, ListIn(sample, key));
  NamedTensors tensors;
  for (const json& entry : list) {
    ASSIGN_OR_RETURN(std::string name, StringIn(entry, "name"));
    ASSIGN_OR_RETURN(const std::string dtype, StringIn(entry, "dtype"));
    ASSIGN_OR_RETURN(const json sizes, ListIn(entry, "shape"));
    const DataType type = DataTypeFromName(dtype);
    if (SizeOf(type) == 0) return Malformed("dtype " + dtype);
    std::vector<int64_t> shape;
    for (const json& size : sizes) {
      if (!size.is_number_integer() || size.get<int64_t>() < 0) return Malformed("a size");
      shape.push_back(size.get<int64_t>());
    }
    const auto offset = entry.find("offset");
    if (offset == entry.end() || !offset->is_number_unsigned()) return Malformed("no 'offset'");
    const int64_t count = ElementCount(shape);
    const uint64_t at = begin + offset->get<uint64_t>();
    const uint64_t total = file->bytes().size();
    if (count < 0 || static_cast<uint64_t>(count) > total / SizeOf(type)) return Malformed("a tensor's size");
    const uint64_t bytes = static_cast<uint64_t>(count) * SizeOf(type);
    if (at < begin || at > total || total - at < bytes) return Malformed("a tensor outside the file");
    tensors.emplace_back(std::move(name), Tensor(type, std::move(shape), file->bytes().subspan(at, bytes), file));
  }
  return tensors;
}

}  // namespace

absl::Status ReferenceBundle::Write(const std::filesystem::path& path) const {
  Layout layout;
  json header = {{"reference", reference}, {"generator", generator}, {"constant_outputs", constant_outputs}};
  header["final_activations"] = json::array();
  for (const FinalActivation& activation : final_activations) {
    header["final_activations"].push_back(
        {{"output", activation.output}, {"before", activation.before}, {"kind", std::string(Name(activation.kind))}});
  }
  header["samples"] = json::array();
  for (const Sample& sample : samples) {
    header["samples"].push_back({{"inputs", layout.Describe(sample.inputs)},
                                 {"outputs", layout.Describe(sample.outputs)},
                                 {"before_activation", layout.Describe(sample.before_activation)},
                                 {"inner", layout.Describe(sample.inner)}});
  }
  const std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string file(kMagic);
  const uint64_t length = text.size();
  file.append(reinterpret_cast<const char*>(&length), sizeof(length));
  file += text;
  layout.WriteTo(file, Aligned(file.size()));
  return WriteFileAtomically(path, file);
}

absl::StatusOr<ReferenceBundle> ReferenceBundle::Read(std::shared_ptr<const MappedFile> file) {
  const auto bytes = file->bytes();
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  if (bytes.size() < kPrefix || std::string_view(text, kMagic.size()) != kMagic) return Malformed("its beginning");
  uint64_t length;
  std::memcpy(&length, text + kMagic.size(), sizeof(length));
  if (length > bytes.size() - kPrefix) return Malformed("its header is longer than the file");
  const json header = json::parse(std::string_view(text + kPrefix, length), nullptr, false);
  if (!header.is_object()) return Malformed("its header is no JSON object");
  const uint64_t begin = Aligned(kPrefix + length);

  ReferenceBundle bundle;
  ASSIGN_OR_RETURN(bundle.reference, StringIn(header, "reference"));
  ASSIGN_OR_RETURN(bundle.generator, StringIn(header, "generator"));
  ASSIGN_OR_RETURN(const json constants, ListIn(header, "constant_outputs"));
  for (const json& name : constants) {
    if (!name.is_string()) return Malformed("a constant output");
    bundle.constant_outputs.push_back(name.get<std::string>());
  }
  ASSIGN_OR_RETURN(const json activations, ListIn(header, "final_activations"));
  for (const json& entry : activations) {
    FinalActivation activation;
    ASSIGN_OR_RETURN(activation.output, StringIn(entry, "output"));
    ASSIGN_OR_RETURN(activation.before, StringIn(entry, "before"));
    ASSIGN_OR_RETURN(const std::string kind, StringIn(entry, "kind"));
    const OpInfo* op = FindOp(kind);
    if (op == nullptr) return Malformed("activation " + kind);
    activation.kind = op->kind;
    bundle.final_activations.push_back(std::move(activation));
  }
  ASSIGN_OR_RETURN(const json samples, ListIn(header, "samples"));
  for (const json& entry : samples) {
    Sample sample;
    ASSIGN_OR_RETURN(sample.inputs, ReadTensors(entry, "inputs", begin, file));
    ASSIGN_OR_RETURN(sample.outputs, ReadTensors(entry, "outputs", begin, file));
    ASSIGN_OR_RETURN(sample.before_activation, ReadTensors(entry, "before_activation", begin, file));
    ASSIGN_OR_RETURN(sample.inner, ReadTensors(entry, "inner", begin, file));
    bundle.samples.push_back(std::move(sample));
  }
  return bundle;
}

}  // namespace slipway
