#include "coordinator/service/ask_first.h"

#include <google/protobuf/descriptor.h>
#include <grpc/grpc.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <string>
#include <utility>

#include "coordinator/service/refused.h"

namespace slipway {
namespace {

using grpc::internal::MethodHandler;
using grpc::internal::RpcMethod;
using grpc::internal::RpcServiceMethod;

// Reads the one message of a call that may have it, then runs its handler as gRPC would have. Deletes itself.
class Reading final : public grpc_completion_queue_functor {
 public:
  Reading(MethodHandler& handler, const MethodHandler::HandlerParameter& call)
      : grpc_completion_queue_functor{}, handler_(handler), call_(call) {
    functor_run = &Reading::Done;
    inlineable = true;  // as what gRPC runs when it has read by itself
    grpc_op read{};
    read.op = GRPC_OP_RECV_MESSAGE;
    read.data.recv_message.recv_message = &message_;
    if (grpc_call_start_batch(call.call->call(), &read, 1, this, nullptr) != GRPC_CALL_OK) Done(this, false);
  }

 private:
  static void Done(grpc_completion_queue_functor* functor, int) {
    const std::unique_ptr<Reading> self(static_cast<Reading*>(functor));
    // Without a message, as without a well-formed one, the handler learns that it failed.
    grpc::Status status;
    void* data = nullptr;
    void* const request = self->handler_.Deserialize(self->call_.call->call(), self->message_, &status, &data);
    self->handler_.RunHandler(
        {self->call_.call, self->call_.server_context, request, status, data, self->call_.call_requester});
  }

  MethodHandler& handler_;
  const MethodHandler::HandlerParameter call_;
  grpc_byte_buffer* message_ = nullptr;
};

class Asker final : public MethodHandler {
 public:
  Asker(MethodHandler& handler, bool reads_itself, std::string name, const Access& access)
      : handler_(handler), reads_itself_(reads_itself), name_(std::move(name)), access_(access) {}

  void RunHandler(const HandlerParameter& parameter) override {
    // Which role the method needs is its handler's question.
    Call call(access_, {.name = name_, .needs = Role::kRead},
              static_cast<grpc::CallbackServerContext&>(*parameter.server_context));
    if (!call.admitted().ok()) {
      grpc::internal::CallbackClientStreamingHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
          [&](grpc::CallbackServerContext*, grpc::ByteBuffer*) {
            return new Refused<grpc::ServerReadReactor<grpc::ByteBuffer>>(std::move(call));
          })
          .RunHandler(parameter);
    } else if (reads_itself_) {
      handler_.RunHandler(parameter);
    } else {
      new Reading(handler_, parameter);
    }
  }

 private:
  MethodHandler& handler_;
  const bool reads_itself_;
  const std::string name_;
  const Access& access_;
};

// Says where a service keeps its handlers.
struct Handlers : grpc::Service {
  static MethodHandler& Of(grpc::Service& service, int index) { return *(service.*(&Handlers::GetHandler))(index); }
};

class AskingService final : public grpc::Service {
 public:
  AskingService(grpc::Service& service, std::string_view full_name, const Access& access) {
    const google::protobuf::ServiceDescriptor& descriptor =
        *google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(std::string(full_name));
    for (int i = 0; i < descriptor.method_count(); ++i) {
      const google::protobuf::MethodDescriptor& method = *descriptor.method(i);
      paths_.push_back("/" + descriptor.full_name() + "/" + method.name());
      // Of a method that streams, gRPC reads nothing by itself.
      AddMethod(new RpcServiceMethod(paths_.back().c_str(), RpcMethod::BIDI_STREAMING, nullptr));
      MarkMethodCallback(i, new Asker(Handlers::Of(service, i), method.client_streaming(),
                                      descriptor.name() + "/" + method.name(), access));
    }
  }

 private:
  std::deque<std::string> paths_;
};

}  // namespace

std::unique_ptr<grpc::Service> AskFirst(grpc::Service& service, std::string_view full_name, const Access& access) {
  return std::make_unique<AskingService>(service, full_name, access);
}

}  // namespace slipway
