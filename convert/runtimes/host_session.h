// A session in a host process: the client side of the host protocol (runtime.h).
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convert/runtimes/runtime.h"

namespace slipway {

// In the reason of everything that a process had too little memory for: the worker's flag.
inline constexpr char kOverTaskMemory[] = "(--task-memory)";

// What a host said of a model's inputs or outputs.
struct HostTensorInfo {
  std::string name;
  std::string dtype;           // numpy's name, or the runtime's own where numpy has none
  std::vector<int64_t> shape;  // -1: dynamic; empty where the format does not say
};

// One model in a host. Unloads it on destruction. Closes the channel when the host has gone, so that the provider gives another.
class HostSession final : public Session {
 public:
  // `configuration` goes to the host as it is; `identity`'s name, version and CPU features are filled from its hello unless set.
  // UNAVAILABLE: the host died, or took longer than `answer_timeout` for one answer (here and in Run).
  static absl::StatusOr<std::unique_ptr<HostSession>> Load(std::shared_ptr<Channel> channel,
                                                           const std::vector<std::string>& files,
                                                           const nlohmann::json& configuration, JudgeIdentity identity,
                                                           bool can_fetch, absl::Duration answer_timeout);
  ~HostSession() override;

  const JudgeIdentity& identity() const override { return identity_; }
  absl::StatusOr<NamedTensors> Run(const NamedTensors& inputs, const std::vector<std::string>& want) override;
  bool CanFetch() const override { return can_fetch_; }

  const std::vector<HostTensorInfo>& inputs() const { return inputs_; }
  const std::vector<HostTensorInfo>& outputs() const { return outputs_; }

 private:
  HostSession(std::shared_ptr<Channel> channel, JudgeIdentity identity, bool can_fetch, absl::Duration answer_timeout)
      : channel_(std::move(channel)),
        identity_(std::move(identity)),
        can_fetch_(can_fetch),
        answer_timeout_(answer_timeout) {}

  std::shared_ptr<Channel> channel_;
  JudgeIdentity identity_;
  bool can_fetch_;
  absl::Duration answer_timeout_;
  std::string id_;
  std::vector<HostTensorInfo> inputs_;
  std::vector<HostTensorInfo> outputs_;
};

}  // namespace slipway
