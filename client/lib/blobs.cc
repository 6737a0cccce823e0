// Blobs up and down. The farm checks what it stores, the client what it receives.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "client/lib/grpc_farm_client.h"
#include "client/lib/parallel.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "common/rpc/digest_message.h"
#include "common/rpc/endpoint.h"

namespace slipway {
namespace {

constexpr size_t kDigestsAtOnce = 10'000;
constexpr uint64_t kMaxWholeBlob = 64 << 20;
constexpr uint64_t kSharedPieceBytes = 1 << 18;  // stays in the processor's cache between reading, hashing and writing
constexpr uint64_t kWorthResuming = 4 << 20;     // of a smaller blob no earlier process's upload is asked for

absl::StatusOr<UniqueFd> OpenToRead(const std::filesystem::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, path.string());
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, path.string());
  if (!S_ISREG(info.st_mode)) return WithKind(InvalidArgument("{} is no file", path.string()), ErrorKind::kUsage);
  return fd;
}

absl::Status ReadExactly(int fd, const std::filesystem::path& path, uint64_t offset, std::span<char> buffer) {
  for (size_t done = 0; done < buffer.size();) {
    const ssize_t n = pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, path.string());
    if (n == 0) return Aborted("{} became shorter while it was being uploaded", path.string());
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

// A file that takes its name only when it is complete; dropped before, it leaves nothing.
class NewFile {
 public:
  static absl::StatusOr<NewFile> Create(const std::filesystem::path& path) {
    NewFile file;
    file.path_ = path;
    file.temporary_ = path.string() + "." + RandomHex(6) + ".part";
    file.fd_.Reset(open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file.fd_.valid()) return ErrnoStatus(errno, path.string());
    return file;
  }
  NewFile(NewFile&&) = default;
  ~NewFile() {
    if (fd_.valid()) unlink(temporary_.c_str());
  }

  absl::Status Write(std::string_view data) {
    while (!data.empty()) {
      const ssize_t n = write(fd_.get(), data.data(), data.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, path_.string());
      data.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }
  absl::Status Publish() {
    if (rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, path_.string());
    fd_.Reset();
    return absl::OkStatus();
  }

 private:
  NewFile() = default;
  std::filesystem::path path_, temporary_;
  UniqueFd fd_;
};

// Adds up the bytes of parallel transfers.
class Progress {
 public:
  Progress(const TransferProgress& callback, uint64_t total) : callback_(callback), total_(total) {}
  void Add(uint64_t bytes) {
    if (!callback_) return;
    std::lock_guard lock(mutex_);
    done_ += bytes;
    callback_(std::min(done_, total_), total_);
  }

 private:
  const TransferProgress& callback_;
  const uint64_t total_;
  std::mutex mutex_;
  uint64_t done_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Digest>> GrpcFarmClient::FindMissing(std::span<const Digest> digests) {
  std::vector<Digest> missing;
  for (size_t begin = 0; begin < digests.size(); begin += kDigestsAtOnce) {
    v1::FindMissingRequest request;
    for (const Digest& digest : digests.subspan(begin, std::min(kDigestsAtOnce, digests.size() - begin))) {
      *request.add_digests() = ToMessage(digest);
    }
    v1::FindMissingResponse response;
    RETURN_IF_ERROR(Repeat([&](const Door& door, grpc::ClientContext& context) {
      return door.blobs->FindMissing(&context, request, &response);
    }));
    for (const v1::Digest& message : response.missing()) {
      ASSIGN_OR_RETURN(const Digest digest, FromMessage(message));
      if (std::find(missing.begin(), missing.end(), digest) == missing.end()) missing.push_back(digest);
    }
  }
  return missing;
}

absl::StatusOr<std::vector<Digest>> GrpcFarmClient::UploadFiles(std::span<const std::filesystem::path> files,
                                                                const TransferProgress& progress) {
  std::vector<Digest> digests(files.size());
  RETURN_IF_ERROR(ForEachInParallel(files.size(), options_.parallel_transfers, [&](size_t i) -> absl::Status {
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenToRead(files[i]));
    ASSIGN_OR_RETURN(digests[i], DigestOfFile(fd.get()));
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(const std::vector<Digest> missing, FindMissing(digests));
  uint64_t total = 0;
  for (const Digest& digest : missing) total += digest.bytes;
  Progress moved(progress, total);
  RETURN_IF_ERROR(ForEachInParallel(missing.size(), options_.parallel_transfers, [&](size_t i) {
    const auto& file = files[std::find(digests.begin(), digests.end(), missing[i]) - digests.begin()];
    const absl::Status status = UploadPath(file, missing[i], [&](uint64_t bytes) { moved.Add(bytes); });
    return absl::IsInvalidArgument(status) ? Aborted("{} changed while it was being uploaded", file.string()) : status;
  }));
  return digests;
}

absl::Status GrpcFarmClient::UploadFile(const std::filesystem::path& file, const Digest& digest) {
  return UploadPath(file, digest, {});
}

absl::Status GrpcFarmClient::UploadPath(const std::filesystem::path& file, const Digest& digest,
                                        const BytesMoved& moved) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenToRead(file));
  return Upload(
      digest, [&](uint64_t offset, std::span<char> buffer) { return ReadExactly(fd.get(), file, offset, buffer); },
      moved);
}

absl::StatusOr<Digest> GrpcFarmClient::UploadBytes(std::string_view bytes) {
  const Digest digest = Digest::Of(bytes);
  const auto copy = [&](uint64_t offset, std::span<char> buffer) {
    std::memcpy(buffer.data(), bytes.data() + offset, buffer.size());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(Upload(digest, copy, {}));
  return digest;
}

absl::Status GrpcFarmClient::Upload(const Digest& digest, const ReadSource& source, const BytesMoved& moved) {
  Patience patience(options_, shutdown_.get_token());
  uint64_t start = digest.bytes >= kWorthResuming ? ReceivedOf(digest) : 0;
  if (start > 0 && moved) moved(start);
  while (true) {
    const Door& door = doors_->current();
    const absl::Status status = UploadOnce(door, digest, source, moved, start);
    if (status.ok()) return status;
    // What was kept of an earlier upload may be gone again, or have been of other bytes.
    const bool anew = absl::IsInvalidArgument(status) && start > 0;
    if (!anew && !TryAgain(patience, status, door)) return status;
    const uint64_t received = anew ? 0 : ReceivedOf(digest);
    if (received > start) patience.Reset();
    start = received;
  }
}

uint64_t GrpcFarmClient::ReceivedOf(const Digest& digest) {
  const Door& door = doors_->current();
  grpc::ClientContext context;
  const std::stop_callback cancel(shutdown_.get_token(), [&context] { context.TryCancel(); });
  v1::QueryUploadRequest request;
  *request.mutable_digest() = ToMessage(digest);
  v1::QueryUploadResponse response;
  const absl::Status status = Explain(door.blobs->QueryUpload(&context, request, &response), door, context);
  LeaveIfDead(status, door);
  return status.ok() && response.received_bytes() < digest.bytes ? response.received_bytes() : 0;
}

absl::Status GrpcFarmClient::UploadOnce(const Door& door, const Digest& digest, const ReadSource& source,
                                        const BytesMoved& moved, uint64_t start) {
  grpc::ClientContext context;
  const std::stop_callback cancel(shutdown_.get_token(), [&context] { context.TryCancel(); });
  v1::UploadResponse response;
  const auto stream = door.blobs->Upload(&context, &response);
  v1::UploadRequest chunk;
  *chunk.mutable_digest() = ToMessage(digest);
  uint64_t sent = start;
  do {
    std::string& data = *chunk.mutable_data();
    data.resize(std::min<uint64_t>(kChunkBytes, digest.bytes - sent));
    if (const absl::Status status = source(sent, data); !status.ok()) {
      context.TryCancel();
      stream->Finish();
      return status;
    }
    chunk.set_offset(sent);
    if (!stream->Write(chunk)) break;  // the farm has answered: refused, or had it already
    sent += data.size();
    if (moved) moved(data.size());
    chunk.clear_digest();
  } while (sent < digest.bytes);
  stream->WritesDone();
  const absl::Status status = Explain(stream->Finish(), door, context);
  if (status.ok() && response.committed_bytes() != digest.bytes) {
    return Internal("farm at {}: it took {} bytes of a blob of {}", door.address, response.committed_bytes(),
                    digest.bytes);
  }
  return status;
}

absl::Status GrpcFarmClient::Fetch(const Digest& digest, const WriteSink& sink) {
  if (options_.shared_store != nullptr) {
    const absl::Status status = FetchShared(digest, sink);
    if (!absl::IsNotFound(status)) return status;
  }
  return FetchOverConnection(digest, sink);
}

absl::Status GrpcFarmClient::FetchShared(const Digest& digest, const WriteSink& sink) {
  absl::StatusOr<std::unique_ptr<BlobReader>> reader = options_.shared_store->Read(digest);
  if (!reader.ok()) return WithKind(reader.status(), ErrorKind::kMachine);
  std::string piece(std::min<uint64_t>(kSharedPieceBytes, digest.bytes), '\0');
  do {
    if (shutdown_.stop_requested()) return Cancelled("the connection to {} was shut down", server());
    const absl::StatusOr<size_t> read = (*reader)->Read(std::as_writable_bytes(std::span(piece)));
    if (!read.ok()) return WithKind(read.status(), ErrorKind::kMachine);
    if (*read == 0) return absl::OkStatus();  // the reader has compared the hash
    if (const absl::Status status = sink(std::string_view(piece).substr(0, *read)); !status.ok())
      return WithKind(status, ErrorKind::kMachine);
  } while (true);
}

absl::Status GrpcFarmClient::FetchOverConnection(const Digest& digest, const WriteSink& sink) {
  Patience patience(options_, shutdown_.get_token());
  Hasher hasher;
  uint64_t received = 0;
  while (true) {
    const Door& door = doors_->current();
    grpc::ClientContext context;
    const std::stop_callback cancel(shutdown_.get_token(), [&context] { context.TryCancel(); });
    v1::DownloadRequest request;
    *request.mutable_digest() = ToMessage(digest);
    request.set_offset(received);
    const auto stream = door.blobs->Download(&context, request);
    for (v1::DownloadResponse chunk; stream->Read(&chunk);) {
      patience.Reset();
      absl::Status status;
      if (chunk.data().size() > digest.bytes - received) {
        status = DataLoss("the farm sent more than the {} bytes of {}", digest.bytes, digest.ToString());
      } else {
        status = sink(chunk.data());
      }
      if (!status.ok()) {
        context.TryCancel();
        stream->Finish();
        return WithKind(status, ErrorKind::kMachine);
      }
      hasher.Update(std::as_bytes(std::span(chunk.data())));
      received += chunk.data().size();
    }
    const absl::Status status = Explain(stream->Finish(), door, context);
    if (status.ok()) break;
    if (!TryAgain(patience, status, door)) return status;
  }
  if (hasher.Finish() != digest)
    return WithKind(DataLoss("what the farm sent does not hash to {}", digest.ToString()), ErrorKind::kMachine);
  return absl::OkStatus();
}

absl::Status GrpcFarmClient::FetchFile(const DownloadItem& item, const BytesMoved& moved) {
  absl::Status status;
  // What came whole but with other bytes was damaged on its way, unless the farm's own copy is: then it is gone by now.
  for (const bool last : {false, true}) {
    ASSIGN_OR_RETURN(NewFile file, NewFile::Create(item.path));
    uint64_t arrived = 0;
    const absl::Status fetched = Fetch(item.digest, [&](std::string_view data) {
      arrived += data.size();
      if (moved && !last) moved(data.size());
      return file.Write(data);
    });
    if (fetched.ok()) return file.Publish();
    if (!last || !absl::IsNotFound(fetched)) status = fetched;
    if (!absl::IsDataLoss(fetched) || arrived != item.digest.bytes) break;
  }
  return status;
}

absl::Status GrpcFarmClient::Download(const Digest& digest, const std::filesystem::path& path) {
  return FetchFile({digest, path}, {});
}

absl::Status GrpcFarmClient::DownloadFiles(std::span<const DownloadItem> items, const TransferProgress& progress) {
  uint64_t total = 0;
  for (const DownloadItem& item : items) total += item.digest.bytes;
  Progress moved(progress, total);
  return ForEachInParallel(items.size(), options_.parallel_transfers,
                           [&](size_t i) { return FetchFile(items[i], [&](uint64_t bytes) { moved.Add(bytes); }); });
}

absl::StatusOr<std::string> GrpcFarmClient::DownloadBytes(const Digest& digest) {
  if (digest.bytes > kMaxWholeBlob)
    return ResourceExhausted("blob {} is too large to be held whole; download it to a file", digest.ToString());
  std::string bytes;
  bytes.reserve(digest.bytes);
  RETURN_IF_ERROR(Fetch(digest, [&](std::string_view data) {
    bytes += data;
    return absl::OkStatus();
  }));
  return bytes;
}

}  // namespace slipway
