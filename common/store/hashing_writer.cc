#include "common/store/hashing_writer.h"

#include "common/base/error.h"

namespace slipway {

absl::Status HashingWriter::Write(std::span<const std::byte> data) {
  RETURN_IF_ERROR(failure_);
  if (data.size() > digest_.bytes - received_) {
    failure_ = InvalidArgument("blob {}: more than its {} bytes arrived", digest_.ToString(), digest_.bytes);
  } else {
    received_ += data.size();
    hasher_.Update(data);
    failure_ = Append(data);
  }
  if (!failure_.ok()) Abandon();
  return failure_;
}

absl::Status HashingWriter::Commit() {
  RETURN_IF_ERROR(failure_);
  failure_ = FailedPrecondition("blob {} was committed already", digest_.ToString());
  const Digest written = hasher_.Finish();
  const absl::Status published = written == digest_ ? Publish()
                                                    : InvalidArgument("blob {}: {} bytes of SHA-256 {} arrived",
                                                                      digest_.ToString(), written.bytes, written.Hex());
  if (!published.ok()) Abandon();
  return published;
}

}  // namespace slipway
