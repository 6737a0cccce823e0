// BlobService: bytes between clients and the store, in bounded buffers: one chunk a call.
#pragma once

#include <atomic>

#include "common/store/store.h"
#include "coordinator/service/caller.h"
#include "coordinator/service/executor.h"
#include "coordinator/service/interrupted_uploads.h"
#include "proto/slipway/v1/blob.grpc.pb.h"

namespace slipway {

// Upload is raw: of a message that is none, gRPC would say that the stream has ended.
using BlobServiceBase = v1::BlobService::WithCallbackMethod_FindMissing<
    v1::BlobService::WithRawCallbackMethod_Upload<v1::BlobService::WithCallbackMethod_QueryUpload<
        v1::BlobService::WithCallbackMethod_Download<v1::BlobService::Service>>>>;

class BlobService final : public BlobServiceBase {
 public:
  static constexpr int kMaxDigests = 10'000;  // of one FindMissing
  static constexpr int kMaxTransfers = 256;   // uploads and downloads at once; more are RESOURCE_EXHAUSTED

  BlobService(Store& store, const Access& access, Executor& executor)
      : store_(store), access_(access), executor_(executor) {}

  grpc::ServerUnaryReactor* FindMissing(grpc::CallbackServerContext* context, const v1::FindMissingRequest* request,
                                        v1::FindMissingResponse* response) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* Upload(grpc::CallbackServerContext* context,
                                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* QueryUpload(grpc::CallbackServerContext* context, const v1::QueryUploadRequest* request,
                                        v1::QueryUploadResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadResponse>* Download(grpc::CallbackServerContext* context,
                                                           const v1::DownloadRequest* request) override;

 private:
  Store& store_;
  const Access& access_;
  Executor& executor_;
  std::atomic<int> transfers_{0};
  InterruptedUploads interrupted_;
};

}  // namespace slipway
