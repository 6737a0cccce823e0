// Streaming calls whose caller may not make them: ended at once, before they take anything that others wait for.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "coordinator/service/caller.h"

namespace slipway {

// Of a call that was not admitted. Deletes itself.
template <typename Reactor>  // grpc::ServerReadReactor<…> or grpc::ServerWriteReactor<…>
class Refused final : public Reactor {
 public:
  explicit Refused(Call call) { this->Finish(call.End(call.admitted())); }
  void OnDone() override { delete this; }
};

}  // namespace slipway
