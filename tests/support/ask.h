// A call by name and bytes: of services that have no header here, and messages that are none.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/error.h"
#include "common/rpc/status.h"

namespace slipway {

// One message to `method` ("/package.Service/Method"), and the first answer; "" where the call ends well without any.
inline absl::StatusOr<std::string> Ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                                       const std::string& message) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  grpc::CompletionQueue events;
  const auto await = [&] {
    void* tag;
    bool ok = false;
    return events.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(&context, method, &events);
  call->StartCall(nullptr);
  await();
  const grpc::Slice slice(message);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  await();
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  const bool answered = await();
  grpc::Status status;
  call->Finish(&status, nullptr);
  await();
  RETURN_IF_ERROR(FromGrpc(status, context));
  std::string text;
  std::vector<grpc::Slice> slices;
  if (answered && answer.Dump(&slices).ok()) {
    for (const grpc::Slice& piece : slices) text.append(reinterpret_cast<const char*>(piece.begin()), piece.size());
  }
  return text;
}

}  // namespace slipway
