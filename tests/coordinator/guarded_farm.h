// A farm that asks its callers for tokens: of two tenants, a token a role.
#pragma once

#include <memory>
#include <string>

#include "common/access/tokens.h"
#include "tests/support/ask.h"
#include "tests/support/farm.h"

namespace slipway {

class GuardedFarm {
 public:
  explicit GuardedFarm(CoordinatorOptions options = {}) {
    options.listen = {address()};
    options.tokens = tokens();
    token("nobody", Role::kRead, "nobody");  // makes the file
    coordinator = Coordinator::Start(options, *farm.queue, *farm.store).value();
  }
  std::string address() const { return "unix:" + (farm.folder() / "guarded.sock").string(); }
  std::string tokens() const { return (farm.folder() / "tokens").string(); }

  // A new token, known at once.
  std::string token(const std::string& tenant, Role role, const std::string& name,
                    absl::Time expires = absl::InfiniteFuture()) {
    const std::string token = AddToken(tokens(), {.tenant = tenant, .role = role, .name = name}, expires).value();
    if (coordinator != nullptr) coordinator->Reload();
    return token;
  }
  std::shared_ptr<grpc::Channel> Channel(const std::string& token) const {
    return OpenChannel(Address::Parse(address()).value(), {.token = token}).value();
  }

  TestFarm farm;
  std::unique_ptr<Coordinator> coordinator;
};

// Every method of the API: "/slipway.v1.ExportService/Submit" …
std::vector<std::string> AllMethods();

}  // namespace slipway
