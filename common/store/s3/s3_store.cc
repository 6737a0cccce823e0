#include "common/store/s3/s3_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/store/layout.h"
#include "common/store/pump.h"
#include "common/store/s3/blob_streams.h"
#include "common/store/s3/client.h"
#include "common/store/s3/garbage.h"

namespace slipway {
namespace {

constexpr uint64_t kActionBytes = 256;  // more than a digest's text

class S3Store final : public Store {
 public:
  S3Store(const S3Options& options, s3::CredentialSource credentials)
      : options_(options), client_(options, std::move(credentials)) {}

  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view tenant, std::span<const Digest> wanted) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    std::vector<Digest> unique;
    absl::flat_hash_set<Digest> seen;
    for (const Digest& digest : wanted) {
      if (seen.insert(digest).second) unique.push_back(digest);
    }
    std::vector<absl::StatusOr<bool>> present(unique.size(), false);
    std::atomic<size_t> next = 0;
    std::atomic<bool> failed = false;
    auto work = [&] {
      for (size_t i; !failed && (i = next++) < unique.size();) {
        present[i] = IsPresent(Key(tenant, unique[i]), unique[i]);
        if (!present[i].ok()) failed = true;
      }
    };
    std::vector<std::thread> others;
    for (size_t i = 1; i < std::min<size_t>(options_.parallel, unique.size()); ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    std::vector<Digest> missing;
    for (size_t i = 0; i < unique.size(); ++i) RETURN_IF_ERROR(present[i].status());
    for (size_t i = 0; i < unique.size(); ++i) {
      if (!*present[i]) missing.push_back(unique[i]);
    }
    return missing;
  }

  absl::StatusOr<std::unique_ptr<BlobReader>> Open(std::string_view tenant, const Digest& digest,
                                                   uint64_t offset) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    if (offset > digest.bytes)
      return InvalidArgument("offset {} is beyond the end of blob {}", offset, digest.ToString());
    absl::StatusOr<std::unique_ptr<BlobReader>> reader = s3::OpenReader(
        client_, options_, Key(tenant, digest), digest, offset, [this](const s3::Object& object) { Drop(object); });
    if (absl::IsNotFound(reader.status())) return NotFound("blob {} is not stored", digest.ToString());
    return reader;
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(std::string_view tenant, const Digest& digest) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    return s3::CreateWriter(client_, options_, Key(tenant, digest), digest);
  }

  absl::StatusOr<UniqueFd> OpenLocal(std::string_view tenant, const Digest& digest) override {
    ASSIGN_OR_RETURN(std::unique_ptr<BlobReader> reader, Open(tenant, digest, 0));
    std::error_code error;
    std::filesystem::path folder =
        options_.scratch.empty() ? std::filesystem::temp_directory_path(error) : options_.scratch;
    return PumpToUnlinkedFile(*reader, folder);
  }

  absl::StatusOr<Digest> PutFile(std::string_view tenant, const std::filesystem::path& file) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return ErrnoStatus(errno, fmt::format("open {}", file.string()));
    ASSIGN_OR_RETURN(Digest digest, DigestOfFile(fd.get()));
    ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer, Create(tenant, digest));
    RETURN_IF_ERROR(PumpFile(fd.get(), *writer));
    RETURN_IF_ERROR(writer->Commit());
    return digest;
  }

  absl::StatusOr<Digest> FindAction(std::string_view tenant, const Digest& key) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    s3::Object object;
    ASSIGN_OR_RETURN(const std::string text,
                     client_.Get(options_.prefix + ActionKey(tenant, key), 0, kActionBytes, object));
    client_.KeepYoung(object).IgnoreError();  // at worst it is forgotten early
    return Digest::Parse(text);
  }
  absl::Status PutAction(std::string_view tenant, const Digest& key, const Digest& made) override {
    RETURN_IF_ERROR(StoreLayout::CheckTenant(tenant));
    return client_.Put(options_.prefix + ActionKey(tenant, key), made.ToString());
  }

  absl::Status Check() override { return client_.CheckBucket(options_.prefix); }
  absl::Status Bind(std::string_view farm) override { return s3::BindFarm(client_, options_.prefix, farm); }
  absl::StatusOr<std::string> Farm() override { return s3::ReadFarm(client_, options_.prefix); }
  absl::StatusOr<std::unique_ptr<BlobPins>> Pin() override {
    return s3::MakePins(client_, options_.prefix, options_.touch_after);
  }
  absl::StatusOr<GarbageReport> CollectGarbage(const GarbageOptions& options) override {
    return s3::CollectGarbage(client_, options_.prefix, options);
  }

 private:
  std::string Key(std::string_view tenant, const Digest& digest) const {
    return options_.prefix + BlobKey(tenant, digest);
  }

  absl::StatusOr<bool> IsPresent(const std::string& key, const Digest& digest) {
    absl::StatusOr<s3::Object> object = client_.Head(key);
    absl::Status found = object.ok() ? client_.KeepYoung(*object) : object.status();
    if (absl::IsNotFound(found)) return false;
    RETURN_IF_ERROR(found);
    return object->bytes == digest.bytes;
  }

  // Unless another has replaced it since.
  void Drop(const s3::Object& damaged) {
    absl::StatusOr<s3::Object> now = client_.Head(damaged.key);
    if (!now.ok() || now->etag != damaged.etag) return;
    absl::Status deleted = client_.Delete(damaged.key);
    LogWarning("damaged blob dropped", {{"key", damaged.key}, {"status", deleted.ok() ? "ok" : Message(deleted)}});
  }

  const S3Options options_;
  s3::Client client_;
};

absl::Status Usage(std::string_view what) { return WithKind(InvalidArgument("{}", what), ErrorKind::kUsage); }

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenS3Store(const S3Options& options, s3::CredentialSource credentials) {
  S3Options checked = options;
  if (checked.bucket.empty() || checked.bucket.find('/') != std::string::npos) return Usage("S3: no bucket is named");
  if (checked.endpoint.empty()) checked.endpoint = fmt::format("https://s3.{}.amazonaws.com", checked.region);
  if (!checked.endpoint.starts_with("http://") && !checked.endpoint.starts_with("https://"))
    return Usage("S3: the endpoint must begin with https:// or http://");
  if (checked.endpoint.find('@') != std::string::npos) return Usage("S3: credentials do not belong into the endpoint");
  if (checked.endpoint.find_first_of("?#") != std::string::npos) return Usage("S3: the endpoint has a query");
  if (!checked.prefix.empty() && !checked.prefix.ends_with('/')) checked.prefix += '/';
  if (checked.attempts < 1 || checked.part_bytes < 1 || checked.read_bytes < 1 || checked.parallel < 1)
    return Usage("S3: attempts, part, read sizes and parallel requests must be positive");
  return std::make_unique<S3Store>(checked, std::move(credentials));
}

}  // namespace slipway
