#include "tests/store/places.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/store/cached_store.h"
#include "common/store/layout.h"
#include "common/store/s3/client.h"
#include "tests/support/s3_server.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class LocalPlace final : public Place {
 public:
  std::unique_ptr<Store> Open() override {
    return OpenLocalStore({.root = folder_.path(), .ephemeral = false}).value();
  }
  void Overwrite(std::string_view tenant, const Digest& digest, std::string_view bytes) override {
    fs::path path = folder_.path() / BlobKey(tenant, digest);
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    std::ofstream(path, std::ios::binary) << bytes;
    // At another time: the file system's clock is coarse.
    timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  }
  bool ReplacesAtOnce() override { return true; }
  std::vector<std::string> Names() override {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    return names;
  }

 private:
  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-store-test-").value();
};

class S3Place : public Place {
 public:
  std::unique_ptr<Store> Open() override { return OpenS3Store(server_.options(), S3Server::credentials()).value(); }
  void Overwrite(std::string_view tenant, const Digest& digest, std::string_view bytes) override {
    client_.Put(server_.options().prefix + BlobKey(tenant, digest), bytes).IgnoreError();
  }
  bool ReplacesAtOnce() override { return server_.replaces_at_once(); }
  std::vector<std::string> Names() override {
    std::vector<std::string> names;
    absl::Status listed = client_.List("", [&](const s3::Object& object) {
      names.push_back(object.key);
      return absl::OkStatus();
    });
    if (!listed.ok()) names.push_back("not listed");
    const std::vector<s3::Upload> uploads = client_.ListUploads("").value();
    for (const s3::Upload& upload : uploads) names.push_back("upload of " + upload.key);
    return names;
  }

 private:
  S3Server server_;
  s3::Client client_{server_.options(), S3Server::credentials()};
};

// A cache that holds one large blob, before a bucket.
class CachedPlace final : public S3Place {
 public:
  std::unique_ptr<Store> Open() override {
    return OpenCachedStore({.root = folder_.path(), .max_bytes = 16 << 20}, S3Place::Open()).value();
  }

 private:
  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-cache-test-").value();
};

}  // namespace

std::unique_ptr<Place> MakePlace(std::string_view kind) {
  if (kind == "Local") return std::make_unique<LocalPlace>();
  if (kind == "Cached") return std::make_unique<CachedPlace>();
  return std::make_unique<S3Place>();
}

}  // namespace slipway
