#include "convert/targets/coreml/package.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <nlohmann/json.hpp>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/output_file.h"

namespace slipway::coreml_writer {
namespace {

std::string Serialized(const coreml::Model& model) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  model.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// A UUID of version 8 (RFC 9562: vendor-specific) from the digest of what it stands for.
std::string UuidOf(std::string_view content) {
  std::string hex = Digest::Of(content).Hex().substr(0, 32);
  hex[12] = '8';
  hex[16] = '9';
  for (char& c : hex) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

absl::Status WriteNew(const std::filesystem::path& path, std::string_view bytes) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(bytes.data(), bytes.size()))));
  return file.Close();
}

nlohmann::ordered_json Item(std::string_view description, std::string_view name) {
  return {{"author", "com.apple.CoreML"},
          {"description", description},
          {"name", name},
          {"path", fmt::format("com.apple.CoreML/{}", name)}};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WritePackage(const coreml::Model& model, const WeightFile& weights,
                                                      const std::filesystem::path& folder) {
  const std::filesystem::path data = folder / "Data" / "com.apple.CoreML";
  std::error_code error;
  std::filesystem::create_directories(data / "weights", error);
  if (error) return ErrnoStatus(error.value(), "cannot create " + data.string());

  const std::string bytes = Serialized(model);
  RETURN_IF_ERROR(WriteNew(data / "model.mlmodel", bytes));
  RETURN_IF_ERROR(weights.Write(data / "weights" / "weight.bin"));

  const std::string model_id = UuidOf("model\n" + bytes);
  const std::string weights_id = UuidOf("weights\n" + bytes);
  nlohmann::ordered_json manifest = {{"fileFormatVersion", "1.0.0"},
                                     {"itemInfoEntries",
                                      {{model_id, Item("CoreML Model Specification", "model.mlmodel")},
                                       {weights_id, Item("CoreML Model Weights", "weights")}}},
                                     {"rootModelIdentifier", model_id}};
  RETURN_IF_ERROR(WriteNew(folder / "Manifest.json", manifest.dump(4) + "\n"));
  return std::vector<std::string>{"Manifest.json", "Data/com.apple.CoreML/model.mlmodel",
                                  "Data/com.apple.CoreML/weights/weight.bin"};
}

}  // namespace slipway::coreml_writer
