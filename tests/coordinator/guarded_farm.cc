#include "tests/coordinator/guarded_farm.h"

#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"

namespace slipway {

std::vector<std::string> AllMethods() {
  std::vector<std::string> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::SubmitRequest::descriptor()->file(), v1::UploadRequest::descriptor()->file(),
        v1::GetQueueRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const google::protobuf::ServiceDescriptor& service = *file->service(i);
      for (int j = 0; j < service.method_count(); ++j)
        methods.push_back("/" + service.full_name() + "/" + service.method(j)->name());
    }
  }
  return methods;
}

}  // namespace slipway
