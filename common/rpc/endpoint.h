// Both ends of a connection, set up alike: message limits, keepalive, quick reconnection, gRPC's own log lines in ours.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/address.h"
#include "common/rpc/security.h"

namespace slipway {

inline constexpr size_t kMaxRequestBytes =
    16 << 20;  // of one message to a server: a Submit of tens of thousands of models
inline constexpr size_t kMaxResponseBytes = 4 << 20;  // of one message to a client: pages and chunks are made to fit
inline constexpr size_t kMaxChunkBytes = 1 << 20;     // of blob data in one message
inline constexpr size_t kChunkBytes = 512 << 10;      // what we send

// How long a peer may be silent during a call, also when asked for a sign of life, until it counts as dead; and where others
// serve as well, so that going over costs little.
inline constexpr absl::Duration kSilence = absl::Seconds(15);
inline constexpr absl::Duration kSilenceAmongOthers = absl::Milliseconds(2500);

// A connection of its own (never shared with another channel of the process). A dead peer is noticed after kSilence; a lost one is tried again
// after 50 ms, then ever more slowly, at least each half second.
std::shared_ptr<grpc::Channel> OpenChannel(const Address& address);
// The same by TLS, and with the token in every call, as `security` says. CheckSecurity's errors.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const Address& address, const ChannelSecurity& security,
                                                           absl::Duration silence = kSilence);

// Connections live at most half an hour, so that load spreads over new servers; calls then have five minutes to end.
void ConfigureServer(grpc::ServerBuilder& builder);

}  // namespace slipway
