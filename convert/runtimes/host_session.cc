#include "convert/runtimes/host_session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace slipway {
namespace {

using nlohmann::json;

struct Reply {
  json body;
  std::vector<UniqueFd> fds;
};

absl::Status HostGone(Channel& channel, std::string_view runtime, const absl::Status& cause) {
  channel.Close();
  return Unavailable("the {} judge broke off: {}", runtime, Message(cause));
}

std::string StringOf(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::Status HostErrorStatus(const json& body, std::string_view runtime) {
  const std::string code = StringOf(body, "code");
  const std::string message = fmt::format("{}: {}", runtime, StringOf(body, "error"));
  if (code == "INVALID_ARGUMENT") return InvalidArgument("{}", message);
  if (code == "UNIMPLEMENTED") return Unimplemented("{}", message);
  if (code == "NOT_FOUND") return NotFound("{}", message);
  if (code == "RESOURCE_EXHAUSTED")
    return WithKind(ResourceExhausted("{} needs more memory than it gets {}: {}", runtime, kOverTaskMemory, message),
                    ErrorKind::kModel);
  return Internal("{}", message);
}

// A host that stops in the middle of a frame must not hold the caller either.
void LimitStalls(const Channel& channel, absl::Duration answer_timeout) {
  const timeval limit = absl::ToTimeval(answer_timeout);
  setsockopt(channel.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(channel.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

absl::StatusOr<Reply> Call(Channel& channel, std::string_view runtime, absl::Duration answer_timeout,
                           const json& request, const std::vector<int>& fds = {}) {
  if (!channel.valid()) return Unavailable("the {} judge has gone", runtime);
  // Names come from models and may not be UTF-8.
  const std::string body = request.dump(-1, ' ', false, json::error_handler_t::replace);
  if (absl::Status sent = channel.Send(body, fds); !sent.ok()) return HostGone(channel, runtime, sent);
  absl::StatusOr<Frame> frame = channel.Receive(SteadyNow() + answer_timeout);
  if (absl::IsDeadlineExceeded(frame.status())) {
    channel.Close();
    return Unavailable("the {} judge did not answer within {}", runtime, absl::FormatDuration(answer_timeout));
  }
  if (!frame.ok()) return HostGone(channel, runtime, frame.status());
  Reply reply{json::parse(frame->body, nullptr, false), std::move(frame->fds)};
  if (!reply.body.is_object()) return HostGone(channel, runtime, Internal("it answered nonsense"));
  if (reply.body.contains("error")) return HostErrorStatus(reply.body, runtime);
  return reply;
}

absl::StatusOr<std::vector<HostTensorInfo>> TensorInfos(const json& body, const char* key, std::string_view runtime) {
  std::vector<HostTensorInfo> infos;
  const auto list = body.find(key);
  if (list == body.end() || !list->is_array()) return Internal("the {} judge listed no {}", runtime, key);
  for (const json& entry : *list) {
    HostTensorInfo info{StringOf(entry, "name"), StringOf(entry, "dtype"), {}};
    const auto shape = entry.find("shape");
    if (shape == entry.end() || !shape->is_array())
      return Internal("the {} judge gave '{}' no shape", runtime, info.name);
    for (const json& size : *shape) {
      if (!size.is_number_integer()) return Internal("the {} judge gave '{}' a malformed shape", runtime, info.name);
      info.shape.push_back(size.get<int64_t>());
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

// A tensor over a host's memory. Sealed, it cannot shrink under us.
absl::StatusOr<Tensor> TensorFromMemory(const UniqueFd& fd, const HostTensorInfo& info, std::string_view runtime) {
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_WRITE;
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Internal("the {} judge sent memory that is not sealed", runtime);
  const DataType type = DataTypeFromName(info.dtype);
  const size_t element = SizeOf(type);
  if (element == 0) return Internal("the {} judge sent '{}' as {}", runtime, info.name, info.dtype);
  for (int64_t size : info.shape) {
    if (size < 0) return Internal("the {} judge sent '{}' with a negative size", runtime, info.name);
  }
  const int64_t count = ElementCount(info.shape);
  ASSIGN_OR_RETURN(auto memory, MappedFile::Map(fd.get(), info.name));
  if (count < 0 || memory->bytes().size() != static_cast<size_t>(count) * element) {
    return Internal("the {} judge sent {} bytes for '{}' {}", runtime, memory->bytes().size(), info.name,
                    ToString(info.shape));
  }
  const auto bytes = memory->bytes();
  return Tensor(type, info.shape, bytes, std::move(memory));
}

}  // namespace

absl::StatusOr<std::unique_ptr<HostSession>> HostSession::Load(std::shared_ptr<Channel> channel,
                                                               const std::vector<std::string>& files,
                                                               const json& configuration, JudgeIdentity identity,
                                                               bool can_fetch, absl::Duration answer_timeout) {
  static std::atomic<uint64_t> next_id{0};
  const std::string runtime = identity.name;
  LimitStalls(*channel, answer_timeout);
  ASSIGN_OR_RETURN(Reply hello, Call(*channel, runtime, answer_timeout, {{"op", "hello"}}));
  if (identity.version.empty()) identity.version = StringOf(hello.body, "version");
  if (identity.cpu_features.empty()) identity.cpu_features = StringOf(hello.body, "cpu_features");

  const std::string id = fmt::format("s{}", next_id++);
  ASSIGN_OR_RETURN(Reply loaded,
                   Call(*channel, runtime, answer_timeout,
                        {{"op", "load"}, {"session", id}, {"files", files}, {"configuration", configuration}}));
  auto session =
      std::unique_ptr<HostSession>(new HostSession(std::move(channel), std::move(identity), can_fetch, answer_timeout));
  session->id_ = id;
  ASSIGN_OR_RETURN(session->inputs_, TensorInfos(loaded.body, "inputs", runtime));
  ASSIGN_OR_RETURN(session->outputs_, TensorInfos(loaded.body, "outputs", runtime));
  return session;
}

HostSession::~HostSession() {
  // A host that has gone has unloaded it too.
  if (channel_->valid() && !id_.empty()) {
    Call(*channel_, identity_.name, answer_timeout_, {{"op", "unload"}, {"session", id_}}).IgnoreError();
  }
}

absl::StatusOr<NamedTensors> HostSession::Run(const NamedTensors& inputs, const std::vector<std::string>& want) {
  std::vector<UniqueFd> memory;
  std::vector<int> fds;
  json described = json::array();
  for (const auto& [name, tensor] : inputs) {
    ASSIGN_OR_RETURN(UniqueFd fd, SealedMemory("tensor", tensor.bytes()));
    fds.push_back(fd.get());
    memory.push_back(std::move(fd));
    described.push_back({{"name", name}, {"dtype", std::string(Name(tensor.type()))}, {"shape", tensor.shape()}});
  }
  if (fds.size() > Channel::kMaxFds) {
    return InvalidArgument("the model has {} inputs; a judge takes {} at most", fds.size(), Channel::kMaxFds);
  }
  std::vector<std::string> names = want;
  if (names.empty()) {
    for (const HostTensorInfo& output : outputs_) names.push_back(output.name);
  }
  NamedTensors results;
  for (size_t begin = 0; begin < names.size(); begin += Channel::kMaxFds) {
    const size_t end = std::min<size_t>(names.size(), begin + Channel::kMaxFds);
    const std::vector<std::string> part(names.begin() + begin, names.begin() + end);
    ASSIGN_OR_RETURN(Reply reply, Call(*channel_, identity_.name, answer_timeout_,
                                       {{"op", "run"}, {"session", id_}, {"inputs", described}, {"want", part}}, fds));
    ASSIGN_OR_RETURN(std::vector<HostTensorInfo> infos, TensorInfos(reply.body, "outputs", identity_.name));
    if (infos.size() != part.size() || reply.fds.size() != part.size()) {
      return Internal("the {} judge sent {} of {} tensors", identity_.name, reply.fds.size(), part.size());
    }
    for (size_t i = 0; i < part.size(); ++i) {
      ASSIGN_OR_RETURN(Tensor tensor, TensorFromMemory(reply.fds[i], infos[i], identity_.name));
      results.emplace_back(part[i], std::move(tensor));
    }
  }
  return results;
}

}  // namespace slipway
