// Anything at all, from callers of one tenant and from strangers, in seeded random order: the coordinator stays up, says
// what is wrong in its own words, and touches no other tenant.
#include <gmock/gmock.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <map>
#include <set>

#include "common/rpc/digest_message.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/blob.grpc.pb.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"
#include "tests/coordinator/guarded_farm.h"

namespace slipway {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int kCalls = 350;    // a seed
constexpr int kUploads = 120;  // the same

class Fuzzer {
 public:
  Fuzzer(uint64_t seed, std::vector<std::string> words) : random_(seed), words_(std::move(words)) {
    for (const char* word :
         {"", "..", "onnx", "fp32", "tflite", "int8", "model", "resnet18", "/etc/passwd", "a b", "%s%n", "\n",
          "default", "0-00000000000000000000000000000000", "18446744073709551615", "-1", "\xc3\xa9"})
      words_.push_back(word);
    words_.push_back(std::string(70'000, 'x'));
    words_.push_back(std::string("nul\0nul", 7));
  }
  uint64_t Below(uint64_t limit) { return random_.Next() % limit; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  const std::string& Word() { return words_[Below(words_.size())]; }
  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_.Next());
    return bytes;
  }
  uint64_t Number() {
    constexpr uint64_t kEdges[] = {0, 1, 2, 500, 501, 65535, 1u << 31, (1u << 31) - 1, 1ull << 40, 1ull << 63, ~0ull};
    return OneIn(4) ? random_.Next() : kEdges[Below(std::size(kEdges))];
  }

  void Fill(google::protobuf::Message& message, int depth = 0) {
    const google::protobuf::Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (OneIn(4)) continue;
      const int times = field.is_repeated() ? static_cast<int>(Below(OneIn(30) ? 300 : 4)) : 1;
      for (int time = 0; time < times; ++time) Set(message, field, depth);
    }
  }
  // A message of `type` as it travels: whole, damaged, or nothing of the kind.
  std::string Wire(const google::protobuf::Descriptor& type) {
    if (OneIn(10)) return Bytes(Below(200));
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
    Fill(*message);
    std::string wire = message->SerializeAsString();
    if (OneIn(4) && !wire.empty()) {
      for (uint64_t flips = 1 + Below(4); flips > 0; --flips)
        wire[Below(wire.size())] = static_cast<char>(random_.Next());
    }
    if (OneIn(8)) wire.resize(Below(wire.size() + 1));
    return wire;
  }

 private:
  void Set(google::protobuf::Message& message, const FieldDescriptor& field, int depth) {
    const google::protobuf::Reflection& fields = *message.GetReflection();
    const bool many = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 6)
          Fill(many ? *fields.AddMessage(&message, &field) : *fields.MutableMessage(&message, &field), depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        many ? fields.AddString(&message, &field, Word()) : fields.SetString(&message, &field, Word());
        break;
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int value = static_cast<int>(Below(7)) - 1;
        many ? fields.AddEnumValue(&message, &field, value) : fields.SetEnumValue(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        many ? fields.AddBool(&message, &field, OneIn(2)) : fields.SetBool(&message, &field, OneIn(2));
        break;
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto value = static_cast<int32_t>(Number());
        many ? fields.AddInt32(&message, &field, value) : fields.SetInt32(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        const auto value = static_cast<uint32_t>(Number());
        many ? fields.AddUInt32(&message, &field, value) : fields.SetUInt32(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const auto value = static_cast<int64_t>(Number());
        many ? fields.AddInt64(&message, &field, value) : fields.SetInt64(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        const uint64_t value = Number();
        many ? fields.AddUInt64(&message, &field, value) : fields.SetUInt64(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        constexpr double kEdges[] = {0, -0.0, 1, -1, 1e308, 1e-320, INFINITY, NAN};
        const double value = kEdges[Below(std::size(kEdges))];
        many ? fields.AddDouble(&message, &field, value) : fields.SetDouble(&message, &field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_FLOAT:
        break;
    }
  }

  Random random_;
  std::vector<std::string> words_;
};

class FuzzCallsTest : public testing::TestWithParam<uint64_t> {
 protected:
  FuzzCallsTest() {
    const auto exports = v1::ExportService::NewStub(guarded.Channel(guarded.token("b", Role::kAdmin, "b")));
    grpc::ClientContext context;
    v1::SubmitResponse response;
    v1::SubmitRequest request = NoopRequest(1);
    request.mutable_models(0)->set_kind(v1::SOURCE_KIND_DUMMY);
    request.mutable_models(0)->set_architecture("lite");
    request.set_idempotency_key("key-of-b");
    EXPECT_TRUE(exports->Submit(&context, request, &response).ok());
    theirs = response.request_id();
    blob = WriteBlob(*guarded.farm.store, "b", "b's model").value();
    before = FilesOf("b");
  }

  // Every file of a tenant, each of which must be what its name says.
  std::set<std::string> FilesOf(const std::string& tenant) {
    std::set<std::string> files;
    const std::filesystem::path folder = guarded.farm.store_root() / "t" / tenant;
    if (!std::filesystem::exists(folder)) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename();
      const Digest digest = Digest::Of(ReadFile(entry.path()).value());
      EXPECT_EQ(name, digest.Hex() + "-" + std::to_string(digest.bytes));
      files.insert(name);
    }
    return files;
  }
  void ExpectOthersUntouched() {
    EXPECT_EQ(FilesOf("b"), before);
    const RequestView request = guarded.farm.queue->GetRequest(theirs).value();
    EXPECT_EQ(request.open, 2u);
    EXPECT_EQ(request.waiters, 1u);
    EXPECT_EQ(guarded.farm.queue->ListRequests("b", 500, "").value().first.size(), 1u);
    EXPECT_THAT(guarded.farm.queue->ListRequests(kTenant, 500, "").value().first, testing::IsEmpty());
    for (const auto& entry : std::filesystem::directory_iterator(guarded.farm.store_root() / "t"))
      EXPECT_THAT(entry.path().filename().string(), testing::AnyOf("a", "b"));
  }

  GuardedFarm guarded;
  std::string theirs;
  Digest blob;
  std::set<std::string> before;
};

const std::set<absl::StatusCode> kTyped = {absl::StatusCode::kOk,
                                           absl::StatusCode::kInvalidArgument,
                                           absl::StatusCode::kNotFound,
                                           absl::StatusCode::kAlreadyExists,
                                           absl::StatusCode::kUnauthenticated,
                                           absl::StatusCode::kPermissionDenied,
                                           absl::StatusCode::kFailedPrecondition};

TEST_P(FuzzCallsTest, AnswersAreTypedAndNobodyElseIsTouched) {
  Fuzzer fuzzer(GetParam(), {theirs, "key-of-b", "b", blob.Hex(), Digest::Of("").Hex()});
  std::vector<std::shared_ptr<grpc::Channel>> channels = {guarded.Channel(""),
                                                          guarded.Channel("slw_" + std::string(64, '0'))};
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kAdmin, Role::kAdmin, Role::kAdmin, Role::kAdmin})
    channels.push_back(guarded.Channel(guarded.token("a", role, "a" + std::to_string(channels.size()))));
  const std::vector<std::string> methods = AllMethods();
  std::map<absl::StatusCode, int> answers;
  for (int call = 0; call < kCalls; ++call) {
    const std::string& method = methods[fuzzer.Below(methods.size())];
    std::string name = method.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    const google::protobuf::Descriptor& type =
        *google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name)->input_type();
    const absl::Status status = Ask(channels[fuzzer.Below(channels.size())], method, fuzzer.Wire(type)).status();
    ++answers[status.code()];
    EXPECT_TRUE(kTyped.contains(status.code())) << "call " << call << " " << method << ": " << status;
    EXPECT_EQ(status.ok(), Message(status).empty()) << "call " << call << " " << method << ": " << status;
  }
  // All of it was met, so that the above says something.
  for (const absl::StatusCode code :
       {absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
        absl::StatusCode::kUnauthenticated, absl::StatusCode::kPermissionDenied})
    EXPECT_GT(answers[code], 0) << absl::StatusCodeToString(code);
  EXPECT_EQ(Ask(channels.back(), "/slipway.v1.FleetService/GetQueue", "").status(), absl::OkStatus());
  ExpectOthersUntouched();
  FilesOf("a");
}

TEST_P(FuzzCallsTest, UploadsStoreWhatTheirDigestSaysOrNothing) {
  Fuzzer fuzzer(GetParam(), {});
  const std::string token = guarded.token("a", Role::kSubmit, "a");
  const auto blobs = v1::BlobService::NewStub(guarded.Channel(token));
  std::set<std::string> committed;
  for (int upload = 0; upload < kUploads; ++upload) {
    // Of few lengths and contents, so that uploads meet earlier ones, whole and broken off.
    const uint64_t kind = fuzzer.Below(12);
    const std::string bytes(1 + kind * 999, static_cast<char>('a' + kind));
    Digest digest = fuzzer.OneIn(8) ? blob : Digest::Of(bytes);
    if (fuzzer.OneIn(10)) digest.bytes = fuzzer.Number();
    if (fuzzer.OneIn(10)) digest.sha256[fuzzer.Below(32)] ^= 1;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    v1::UploadResponse response;
    const auto stream = blobs->Upload(&context, &response);
    uint64_t offset = 0;
    const bool cancelled = fuzzer.OneIn(8);
    for (uint64_t chunks = fuzzer.Below(5); offset < bytes.size() && chunks < 6; ++chunks) {
      v1::UploadRequest chunk;
      if ((offset == 0) != fuzzer.OneIn(12)) *chunk.mutable_digest() = ToDigestMessage<v1::Digest>(digest);
      const uint64_t size = fuzzer.OneIn(2) ? bytes.size() - offset : 1 + fuzzer.Below(bytes.size() - offset);
      chunk.set_data(fuzzer.OneIn(12) ? fuzzer.Bytes(size) : bytes.substr(offset, size));
      chunk.set_offset(fuzzer.OneIn(12) ? fuzzer.Number() : offset);
      if (!stream->Write(chunk)) break;
      if (!fuzzer.OneIn(12)) offset += size;  // else the same again
    }
    if (cancelled) context.TryCancel();
    stream->WritesDone();
    const absl::Status status = FromGrpc(stream->Finish(), context);
    const bool typed = status.ok() || absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status);
    EXPECT_TRUE(typed || (cancelled && absl::IsCancelled(status))) << "upload " << upload << ": " << status;
    if (status.ok()) committed.insert(digest.Hex() + "-" + std::to_string(digest.bytes));
  }
  EXPECT_GT(committed.size(), 3u);
  guarded.coordinator.reset();  // every call has ended; what was broken off is dropped
  const std::set<std::string> stored = FilesOf("a");
  for (const std::string& name : committed) EXPECT_TRUE(stored.contains(name)) << name;
  ExpectOthersUntouched();
}

// What is no gRPC at all: noise, and HTTP/2 frames of any kind behind a right beginning.
TEST_P(FuzzCallsTest, NoiseOnTheWireHarmsNobody) {
  Fuzzer fuzzer(GetParam(), {});
  const std::string path = Address::Parse(guarded.address()).value().path;
  const auto channel = guarded.Channel(guarded.token("a", Role::kRead, "a"));
  std::vector<UniqueFd> open;
  for (int connection = 0; connection < 60; ++connection) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    std::string sent;
    if (!fuzzer.OneIn(4)) sent = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (!fuzzer.OneIn(3)) sent += std::string("\0\0\0\4\0\0\0\0\0", 9);  // SETTINGS, empty
    for (uint64_t frames = fuzzer.Below(6); frames > 0; --frames) {
      const std::string payload = fuzzer.Bytes(fuzzer.OneIn(8) ? 16'384 : fuzzer.Below(300));
      const uint64_t length = fuzzer.OneIn(6) ? fuzzer.Number() : payload.size();
      for (const int shift : {16, 8, 0}) sent += static_cast<char>(length >> shift);
      sent += static_cast<char>(fuzzer.Below(12));  // its type
      sent += static_cast<char>(fuzzer.Number());   // its flags
      sent += std::string("\0\0\0", 3) + static_cast<char>(fuzzer.Below(5));
      sent += payload;
    }
    (void)send(socket.get(), sent.data(), sent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);  // it may have hung up by now
    if (fuzzer.OneIn(2)) open.push_back(std::move(socket));                           // else closed at once
  }
  EXPECT_EQ(Ask(channel, "/slipway.v1.FleetService/GetQueue", "").status(), absl::OkStatus());
  ExpectOthersUntouched();
}

INSTANTIATE_TEST_SUITE_P(Seeds, FuzzCallsTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace slipway
