#include "client/lib/doors.h"

#include <algorithm>
#include <set>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/rpc/address.h"
#include "common/rpc/endpoint.h"

namespace slipway {
namespace {

constexpr absl::Duration kRefusalPatience = absl::Milliseconds(800);
constexpr absl::Duration kHeadStart = absl::Milliseconds(100);  // of the one chosen, before the others are tried
constexpr absl::Duration kChangePatience = absl::Milliseconds(300);
constexpr absl::Duration kSlice = absl::Milliseconds(10);  // between looks at several connections

absl::StatusOr<std::vector<Address>> ParseServers(std::string_view servers) {
  std::vector<Address> addresses;
  std::set<std::string> seen;
  for (size_t begin = 0; begin <= servers.size();) {
    const size_t end = std::min(servers.find(',', begin), servers.size());
    absl::StatusOr<Address> address = Address::Parse(servers.substr(begin, end - begin));
    if (!address.ok()) return Annotate(address.status(), "--server");
    if (seen.insert(address->ToString()).second) addresses.push_back(*std::move(address));
    begin = end + 1;
  }
  return addresses;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Doors>> Doors::Connect(std::string_view servers, absl::Time deadline,
                                                      const ChannelSecurity& security) {
  ASSIGN_OR_RETURN(const std::vector<Address> addresses, ParseServers(servers));
  std::unique_ptr<Doors> doors(new Doors);
  const absl::Duration silence = addresses.size() > 1 ? kSilenceAmongOthers : kSilence;
  for (const Address& address : addresses) {
    ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, OpenChannel(address, security, silence));
    doors->doors_.push_back(std::make_unique<Door>(Door{
        .address = address.ToString(),
        .channel = channel,
        .exports = v1::ExportService::NewStub(channel),
        .blobs = v1::BlobService::NewStub(channel),
        .fleet = v1::FleetService::NewStub(channel),
    }));
  }
  // A host that refuses is asked again for a moment, since a coordinator may be starting there; one that does not answer at
  // all makes its channel fail only after its time for one attempt.
  const absl::Time settled = std::min(deadline, absl::Now() + kRefusalPatience);
  const size_t first = std::stoull(RandomHex(4), nullptr, 16) % doors->size();
  const absl::Time head_start = absl::Now() + kHeadStart;
  std::set<size_t> failed;  // whose attempts to connect have failed
  while (true) {
    const bool alone = absl::Now() < head_start && !failed.contains(first);
    const size_t found = doors->FindConnected(first, alone ? 1 : doors->size());
    if (found < doors->size()) {
      doors->current_ = found;
      return doors;
    }
    for (size_t i = 0; i < doors->size(); ++i) {
      if (doors->doors_[i]->channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) failed.insert(i);
    }
    const bool all_failed = failed.size() == doors->size();
    const absl::Time now = absl::Now();
    if (now >= (now < settled ? settled : deadline) || (all_failed && now >= settled)) break;
    absl::Time until = now < settled ? settled : deadline;
    if (doors->size() > 1) until = std::min(until, now + kSlice);
    doors->AwaitChange(first, until);
  }
  return doors->WhyNone(failed.size() == doors->size(), security, deadline);
}

absl::Status Doors::WhyNone(bool failed, const ChannelSecurity& security, absl::Time deadline) const {
  for (const auto& door : doors_) {
    ASSIGN_OR_RETURN(const Address address, Address::Parse(door->address));
    if (const std::string reason = WhyNotConnected(address, security, deadline); !reason.empty())
      return Unavailable("cannot talk to the farm at {}: {}", door->address, reason);
  }
  return Unavailable("no farm {} {}: start slipway-coordinator there, or name another --server",
                     failed ? "listens at" : "answers at", names());
}

std::string Doors::names() const {
  std::string names;
  for (const auto& door : doors_) names += (names.empty() ? "" : ", ") + door->address;
  return names;
}

size_t Doors::FindConnected(size_t from, size_t count) const {
  size_t found = size();
  for (size_t step = count; step > 0; --step) {
    const size_t i = (from + step - 1) % size();
    if (doors_[i]->channel->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY) found = i;
  }
  return found;
}

void Doors::AwaitChange(size_t i, absl::Time until) const {
  grpc::Channel& channel = *doors_[i]->channel;
  const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
  if (state != GRPC_CHANNEL_READY) channel.WaitForStateChange(state, absl::ToChronoTime(until));
}

bool Doors::Leave(const Door& door) {
  if (size() == 1) return false;
  const absl::Time deadline = absl::Now() + kChangePatience;
  while (true) {
    size_t used = current_;
    if (doors_[used].get() != &door) return true;  // another call has gone over already
    const size_t found = FindConnected(used + 1, size() - 1);
    if (found < size()) {
      current_.compare_exchange_strong(used, found);
      continue;
    }
    if (absl::Now() >= deadline) return false;
    AwaitChange((used + 1) % size(), std::min(deadline, absl::Now() + kSlice));
  }
}

}  // namespace slipway
