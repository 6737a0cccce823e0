#include "coordinator/service/blob_service.h"

#include <mutex>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/failpoint.h"
#include "common/base/retry_after.h"
#include "common/metrics/metrics.h"
#include "common/rpc/digest_message.h"
#include "common/rpc/endpoint.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/refused.h"
#include "coordinator/service/unary.h"

namespace slipway {
namespace {

const metrics::Counter kReceived("slipway_blob_received_bytes_total", "Bytes of blobs that clients uploaded.");
const metrics::Counter kSent("slipway_blob_sent_bytes_total", "Bytes of blobs that clients downloaded.");

absl::StatusOr<Digest> DigestField(std::string_view field, const v1::Digest& message) {
  const absl::StatusOr<Digest> digest = FromDigestMessage(message);
  if (digest.ok()) return *digest;
  return WithKind(InvalidArgument("{}: {}", field, Message(digest.status())), ErrorKind::kUsage);
}

absl::Status Usage(const absl::Status& status) { return WithKind(status, ErrorKind::kUsage); }

// Counts a transfer for as long as it lives.
class TransferSlot {
 public:
  explicit TransferSlot(std::atomic<int>& count) : count_(count), number_(++count) {}
  ~TransferSlot() { --count_; }
  TransferSlot(const TransferSlot&) = delete;
  absl::Status Check() const {
    if (number_ <= BlobService::kMaxTransfers) return absl::OkStatus();
    return WithRetryAfter(ResourceExhausted("this coordinator already moves {} blobs", BlobService::kMaxTransfers),
                          kRetryAfter);
  }

 private:
  std::atomic<int>& count_;
  const int number_;
};

// One upload. Its steps follow each other: at most one read or one job is under way, so nothing here needs a lock but the end of the call.
class UploadReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  UploadReactor(Store& store, InterruptedUploads& interrupted, Executor& executor, grpc::CallbackServerContext& context,
                Call call, grpc::ByteBuffer& response, std::atomic<int>& transfers)
      : store_(store),
        interrupted_(interrupted),
        executor_(executor),
        context_(context),
        call_(std::move(call)),
        response_(response),
        slot_(transfers) {
    const absl::Status status = slot_.Check();
    status.ok() ? StartRead(&message_) : End(status);
  }

  void OnReadDone(bool ok) override {
    executor_.Run([this, ok] { ok ? TakeChunk() : TakeEnd(); });
  }
  void OnDone() override { delete this; }

 private:
  void TakeChunk() {
    absl::StatusOr<bool> existed = Accept();
    if (!existed.ok()) return End(existed.status());
    if (*existed) return EndWith(/*existed=*/true);
    StartRead(&message_);
  }

  // Whether the blob is already there, in which case nothing more is read.
  absl::StatusOr<bool> Accept() {
    if (!grpc::SerializationTraits<v1::UploadRequest>::Deserialize(&message_, &chunk_).ok())
      return Usage(
          InvalidArgument("what was sent is no message that {} takes (proto/slipway/v1)", method::kUpload.name));
    if (writer_ == nullptr) {
      if (!chunk_.has_digest()) return Usage(InvalidArgument("digest: the first message has none"));
      ASSIGN_OR_RETURN(digest_, DigestField("digest", chunk_.digest()));
      call_.Concerns(digest_.ToString());
      const std::string& tenant = call_.tenant();
      ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(tenant, std::span(&digest_, 1)));
      if (missing.empty()) return true;
      InterruptedUpload earlier = interrupted_.Take(tenant, digest_, SteadyNow());
      if (earlier.writer != nullptr && chunk_.offset() == earlier.received) {
        writer_ = std::move(earlier.writer);
        received_ = earlier.received;
      } else {
        earlier.writer.reset();
        ASSIGN_OR_RETURN(writer_, store_.Create(tenant, digest_));
      }
    } else if (chunk_.has_digest()) {
      return Usage(InvalidArgument("digest: only the first message of an upload has one"));
    }
    if (chunk_.offset() != received_) {
      return Usage(
          InvalidArgument("offset: {} does not continue at {}; an upload starts at 0, or where QueryUpload says, and "
                          "leaves nothing out",
                          chunk_.offset(), received_));
    }
    const std::string& data = chunk_.data();
    if (data.size() > kMaxChunkBytes)
      return Usage(InvalidArgument("data: {} bytes; at most {} in one message", data.size(), kMaxChunkBytes));
    if (data.size() > digest_.bytes - received_) {
      return Usage(InvalidArgument("data: more than the {} bytes that the digest names", digest_.bytes));
    }
    RETURN_IF_ERROR(writer_->Write(std::as_bytes(std::span(data))));
    received_ += data.size();
    Failpoint("coordinator.upload_chunk");
    kReceived.Add({}, static_cast<double>(data.size()));
    return false;
  }

  void TakeEnd() {
    if (context_.IsCancelled()) {
      if (writer_ != nullptr && received_ > 0)
        interrupted_.Keep(call_.tenant(), digest_, {std::move(writer_), received_}, SteadyNow());
      return End(Cancelled("the caller has gone"));
    }
    if (writer_ == nullptr) return End(Usage(InvalidArgument("digest: the upload ended before its first message")));
    if (received_ != digest_.bytes) {
      return End(
          Usage(InvalidArgument("data: it ended after {} of {} bytes; nothing was stored", received_, digest_.bytes)));
    }
    const absl::Status status = writer_->Commit();
    if (status.ok()) return EndWith(/*existed=*/false);
    End(absl::IsInvalidArgument(status) ? Usage(status) : status);
  }

  void EndWith(bool existed) {
    v1::UploadResponse response;
    response.set_committed_bytes(digest_.bytes);
    response.set_existed(existed);
    bool own = false;  // of the buffer's; always, of a new one
    grpc::SerializationTraits<v1::UploadResponse>::Serialize(response, &response_, &own);
    End(absl::OkStatus());
  }

  void End(const absl::Status& status) {
    writer_
        .reset();  // without Commit nothing is stored; the temporary file goes now, not when the caller has read our answer
    Finish(call_.End(status));
  }

  Store& store_;
  InterruptedUploads& interrupted_;
  Executor& executor_;
  grpc::CallbackServerContext& context_;
  Call call_;
  grpc::ByteBuffer& response_;
  const TransferSlot slot_;
  grpc::ByteBuffer message_;
  v1::UploadRequest chunk_;
  Digest digest_;
  std::unique_ptr<BlobWriter> writer_;
  uint64_t received_ = 0;
};

// One download: a job reads a chunk, gRPC sends it, and only then the next is read.
class DownloadReactor final : public grpc::ServerWriteReactor<v1::DownloadResponse> {
 public:
  DownloadReactor(Store& store, Executor& executor, grpc::CallbackServerContext& context, Call call,
                  const v1::DownloadRequest& request, std::atomic<int>& transfers)
      : store_(store), executor_(executor), context_(context), call_(std::move(call)), slot_(transfers) {
    executor_.Run([this, request] {
      const absl::Status status = Open(request);
      status.ok() ? SendNext() : End(status);
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(Cancelled("the caller has gone"));
    executor_.Run([this] { SendNext(); });
  }
  void OnDone() override { delete this; }

 private:
  absl::Status Open(const v1::DownloadRequest& request) {
    RETURN_IF_ERROR(slot_.Check());
    ASSIGN_OR_RETURN(const Digest digest, DigestField("digest", request.digest()));
    call_.Concerns(digest.ToString());
    if (request.offset() > digest.bytes) {
      return Usage(InvalidArgument("offset: {} is beyond the blob's {} bytes", request.offset(), digest.bytes));
    }
    ASSIGN_OR_RETURN(reader_, store_.Open(call_.tenant(), digest, request.offset()));
    return absl::OkStatus();
  }

  void SendNext() {
    if (context_.IsCancelled()) return End(Cancelled("the caller has gone"));
    std::string& data = *chunk_.mutable_data();
    data.resize(kChunkBytes);
    const absl::StatusOr<size_t> read = reader_->Read(std::as_writable_bytes(std::span(data)));
    if (!read.ok()) return End(read.status());
    if (*read == 0) return End(absl::OkStatus());
    data.resize(*read);
    Failpoint("coordinator.download_chunk");
    kSent.Add({}, static_cast<double>(*read));
    StartWrite(&chunk_);
  }

  void End(const absl::Status& status) {
    reader_.reset();
    Finish(call_.End(status));
  }

  Store& store_;
  Executor& executor_;
  grpc::CallbackServerContext& context_;
  Call call_;
  const TransferSlot slot_;
  v1::DownloadResponse chunk_;
  std::unique_ptr<BlobReader> reader_;
};

}  // namespace

grpc::ServerUnaryReactor* BlobService::FindMissing(grpc::CallbackServerContext* context,
                                                   const v1::FindMissingRequest* request,
                                                   v1::FindMissingResponse* response) {
  return RunUnary(
      context, executor_, Call(access_, method::kFindMissing, *context), [=, this](Call& call) -> absl::Status {
        if (request->digests_size() > kMaxDigests) {
          return Usage(InvalidArgument("digests: there are {}; ask for at most {} at once", request->digests_size(),
                                       kMaxDigests));
        }
        std::vector<Digest> wanted;
        wanted.reserve(request->digests_size());
        for (int i = 0; i < request->digests_size(); ++i) {
          ASSIGN_OR_RETURN(const Digest digest, DigestField(fmt::format("digests[{}]", i), request->digests(i)));
          wanted.push_back(digest);
        }
        ASSIGN_OR_RETURN(const std::vector<Digest> missing, store_.FindMissing(call.tenant(), wanted));
        for (const Digest& digest : missing) *response->add_missing() = ToDigestMessage<v1::Digest>(digest);
        return absl::OkStatus();
      });
}

grpc::ServerReadReactor<grpc::ByteBuffer>* BlobService::Upload(grpc::CallbackServerContext* context,
                                                               grpc::ByteBuffer* response) {
  Call call(access_, method::kUpload, *context);
  if (!call.admitted().ok()) return new Refused<grpc::ServerReadReactor<grpc::ByteBuffer>>(std::move(call));
  return new UploadReactor(store_, interrupted_, executor_, *context, std::move(call), *response, transfers_);
}

grpc::ServerUnaryReactor* BlobService::QueryUpload(grpc::CallbackServerContext* context,
                                                   const v1::QueryUploadRequest* request,
                                                   v1::QueryUploadResponse* response) {
  return RunUnary(context, executor_, Call(access_, method::kQueryUpload, *context),
                  [=, this](Call& call) -> absl::Status {
                    ASSIGN_OR_RETURN(const Digest digest, DigestField("digest", request->digest()));
                    call.Concerns(digest.ToString());
                    response->set_received_bytes(interrupted_.Received(call.tenant(), digest, SteadyNow()));
                    return absl::OkStatus();
                  });
}

grpc::ServerWriteReactor<v1::DownloadResponse>* BlobService::Download(grpc::CallbackServerContext* context,
                                                                      const v1::DownloadRequest* request) {
  Call call(access_, method::kDownload, *context);
  if (!call.admitted().ok()) return new Refused<grpc::ServerWriteReactor<v1::DownloadResponse>>(std::move(call));
  return new DownloadReactor(store_, executor_, *context, std::move(call), *request, transfers_);
}

}  // namespace slipway
