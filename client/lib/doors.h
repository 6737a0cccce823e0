// The coordinators of a farm, any of which serves any call: the one in use, and going over to another.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"

namespace slipway {

struct Door {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ExportService::Stub> exports;
  std::unique_ptr<v1::BlobService::Stub> blobs;
  std::unique_ptr<v1::FleetService::Stub> fleet;
};

// Thread-safe. Doors live as long as this.
class Doors {
 public:
  // `servers`: "HOST:PORT" or "unix:/path", several separated by commas. The first of them to be connected is used, looked for from one chosen by
  // chance, so that clients spread. INVALID_ARGUMENT (usage) for another form; UNAVAILABLE when none answers by `deadline`, or all have
  // refused for most of a second.
  static absl::StatusOr<std::unique_ptr<Doors>> Connect(std::string_view servers, absl::Time deadline,
                                                        const ChannelSecurity& security);

  const Door& current() const { return *doors_[current_]; }
  size_t size() const { return doors_.size(); }
  std::string names() const;  // "a:9000, b:9000"

  // `door` did not answer: goes over to another that is connected, or is so within a moment. Whether another than `door` is in use now.
  bool Leave(const Door& door);

 private:
  Doors() = default;
  // The first of the `count` doors from `from` on that is connected; size() when none is. They are made to connect.
  size_t FindConnected(size_t from, size_t count) const;
  // Until the door's connection is another than it was, or is there.
  void AwaitChange(size_t i, absl::Time until) const;
  absl::Status WhyNone(bool failed, const ChannelSecurity& security, absl::Time deadline) const;

  std::vector<std::unique_ptr<Door>> doors_;
  std::atomic<size_t> current_ = 0;
};

}  // namespace slipway
