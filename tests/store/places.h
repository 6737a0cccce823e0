// Places to keep blobs in, with a way behind the store's back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/store/store.h"

namespace slipway {

class Place {
 public:
  virtual ~Place() = default;
  // As another process would, of the same blobs.
  virtual std::unique_ptr<Store> Open() = 0;
  // Puts other bytes where the blob lies.
  virtual void Overwrite(std::string_view tenant, const Digest& digest, std::string_view bytes) = 0;
  // Whether a blob that is stored again is there all the while. S3 promises it; rclone breaks it.
  virtual bool ReplacesAtOnce() = 0;
  // Of all that is kept: blobs and what is left of unfinished ones.
  virtual std::vector<std::string> Names() = 0;
};

inline constexpr const char* kPlaces[] = {"Local", "S3", "Cached"};
std::unique_ptr<Place> MakePlace(std::string_view kind);

}  // namespace slipway
