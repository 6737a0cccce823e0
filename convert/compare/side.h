// One model to be compared: a file of any format, and what is known of its interface.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/targets/target.h"

namespace slipway::compare {

struct Side {
  std::filesystem::path path;  // main file or folder, as it was found
  std::string target;          // capabilities' name
  std::string precision;       // by the manifest, else by the types of the weights
  // How to feed it. Where a manifest describes it, `source`, permutation and dropped axis are its; else every tensor is its own source, and `shape` of
  // a tensor whose rank the file does not say is empty with ranked = false.
  bool described = false;
  IoSchema io;
  std::map<std::string, bool> ranked;  // by name
  std::map<std::string, std::string>
      layers;  // inner tensors: name → source, by the parity.json beside it, else the name itself
  std::vector<std::string> layer_order;  // the same names, first to last
  bool layers_known = false;             // the sources are sure: by parity.json, or because the file is a source itself
};

// A model file, `.mlpackage` folder, or one cell's folder of an export. NOT_FOUND: no such path; INVALID_ARGUMENT: none of a format that can run.
absl::StatusOr<Side> ReadSide(const std::filesystem::path& path);

// What `path` stands for beside `baseline`: itself, or for an export's folder (whole, a model's or a cell's) every artifact of
// the model that the baseline belongs to: by the hash of its source, by being one of its files, or because there is only one.
absl::StatusOr<std::vector<std::filesystem::path>> ExpandVariant(const std::filesystem::path& path,
                                                                 const std::filesystem::path& baseline);

}  // namespace slipway::compare
