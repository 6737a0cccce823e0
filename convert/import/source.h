// What a model is read from.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "common/task/task.h"

namespace slipway {

// One input file, open and mapped; `path` is as the user gave it (for messages and the manifest).
struct SourceFile {
  std::string path;
  std::shared_ptr<const MappedFile> file;
};

// A model to import: an ONNX file with its external data, or a built-in architecture with weights.
struct Source {
  enum class Kind { kOnnx, kCheckpoint, kDummy };
  Kind kind = Kind::kOnnx;
  std::string architecture;                    // kCheckpoint, kDummy
  SourceFile main;                             // the .onnx or checkpoint; none for kDummy
  std::map<std::string, SourceFile> external;  // by path relative to the model's folder, as the model names it
  InterfaceOptions interface;                  // channels_last is left to who converts
  uint64_t seed = 0;                           // kDummy
  std::optional<int64_t> classes;              // --num-classes, of a built-in classifier
  std::optional<int64_t> input_size;           // --input-size, of the same
};

}  // namespace slipway
