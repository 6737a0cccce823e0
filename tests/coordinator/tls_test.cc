// TLS: who is trusted by whom, what a failed connection says, certificates as names, certificates that change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/access/tokens.h"
#include "common/rpc/status.h"
#include "proto/slipway/v1/export.grpc.pb.h"
#include "proto/slipway/v1/fleet.grpc.pb.h"
#include "tests/support/ask.h"
#include "tests/support/certificates.h"
#include "tests/support/farm.h"

namespace slipway {
namespace {

using testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    ours = authority.Issue("farm");
    mine = authority.Issue("caller", {.names = {"URI:slipway://research/submit/ci-7"}});
  }
  absl::StatusOr<std::unique_ptr<Coordinator>> Start(CoordinatorOptions options) {
    return Coordinator::Start(options, *farm.queue, *farm.store);
  }
  // On a free port of 127.0.0.1, with `files` shown.
  std::unique_ptr<Coordinator> Serve(const PemFiles& files, const std::string& client_ca = "") {
    return Start({.listen = {"127.0.0.1:0"}, .tls = {files.certificate, files.key, client_ca}}).value();
  }
  static Address AddressOf(const Coordinator& coordinator, const std::string& host = "127.0.0.1") {
    Address address = Address::Parse(coordinator.addresses().front()).value();
    address.host = host;
    return address;
  }
  static absl::Status Call(const Address& address, const ChannelSecurity& security) {
    const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = OpenChannel(address, security);
    if (!channel.ok()) return channel.status();
    const auto stub = v1::FleetService::NewStub(*channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    v1::GetQueueResponse response;
    return FromGrpc(stub->GetQueue(&context, {}, &response), context);
  }
  // That no call gets through, and why, as it is told to the user.
  static std::string WhyNot(const Address& address, const ChannelSecurity& security) {
    EXPECT_TRUE(absl::IsUnavailable(Call(address, security)));
    return WhyNotConnected(address, security, absl::Now() + absl::Seconds(30));
  }
  ChannelSecurity Trusting(const Authority& who) const { return {.files = {.ca = who.certificate()}}; }
  ChannelSecurity With(const PemFiles& files) const {
    return {.files = {files.certificate, files.key, authority.certificate()}};
  }

  TestFarm farm;
  Authority authority{farm.folder(), "our-authority"};
  Authority strangers{farm.folder(), "strangers-authority"};
  PemFiles ours, mine;
};

TEST_F(TlsTest, ServesWhoTrustsItsAuthority) {
  const auto coordinator = Serve(ours);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Address address = AddressOf(*coordinator, host);
    EXPECT_EQ(Call(address, Trusting(authority)), absl::OkStatus()) << host;
    EXPECT_EQ(WhyNotConnected(address, Trusting(authority), absl::Now() + absl::Seconds(30)), "");
  }
}

TEST_F(TlsTest, SaysWhyThereIsNoConnection) {
  const auto coordinator = Serve(ours);
  const Address address = AddressOf(*coordinator);
  EXPECT_THAT(WhyNot(address, {}), HasSubstr("it speaks TLS: name its certificate authority (--tls-ca FILE)"));
  EXPECT_THAT(WhyNot(address, Trusting(strangers)),
              testing::AllOf(HasSubstr("signed by \"our-authority\""), HasSubstr(strangers.certificate().string())));
  EXPECT_THAT(WhyNot(address, {.tls = true}), HasSubstr("whom this machine's authorities do not know"));

  const auto elsewhere = Serve(authority.Issue("elsewhere", {.names = {"DNS:farm.example", "IP:192.0.2.7"}}));
  EXPECT_THAT(WhyNot(AddressOf(*elsewhere), Trusting(authority)),
              HasSubstr("its certificate is for farm.example, 192.0.2.7, not for 127.0.0.1"));
  EXPECT_THAT(WhyNot(AddressOf(*elsewhere, "localhost"), Trusting(authority)), HasSubstr("not for localhost"));

  const auto expired = Serve(authority.Issue("expired", {.valid_from = -7200, .valid_until = -3600}));
  EXPECT_THAT(WhyNot(AddressOf(*expired), Trusting(authority)), HasSubstr("its certificate expired at 20"));
  const auto early = Serve(authority.Issue("early", {.valid_from = 3600, .valid_until = 7200}));
  EXPECT_THAT(WhyNot(AddressOf(*early), Trusting(authority)), HasSubstr("its certificate is valid from 20"));

  const auto plain = Start({.listen = {"127.0.0.1:0"}}).value();
  EXPECT_THAT(WhyNot(AddressOf(*plain), Trusting(authority)), HasSubstr("it does not speak TLS"));
  EXPECT_EQ(WhyNotConnected(AddressOf(*plain), {}, absl::Now() + absl::Seconds(30)), "");
}

TEST_F(TlsTest, CallersShowCertificatesOfItsAuthority) {
  const auto coordinator = Serve(ours, authority.certificate());
  const Address address = AddressOf(*coordinator);
  EXPECT_EQ(Call(address, With(mine)), absl::OkStatus());
  EXPECT_THAT(WhyNot(address, Trusting(authority)), HasSubstr("it wants a certificate of its callers"));
  EXPECT_THAT(WhyNot(address, With(strangers.Issue("stranger", {.names = {"URI:slipway://research/admin/x"}}))),
              HasSubstr("it does not take"));
  EXPECT_THAT(
      WhyNot(address,
             With(authority.Issue(
                 "late", {.names = {"URI:slipway://research/admin/x"}, .valid_from = -7200, .valid_until = -3600}))),
      HasSubstr("it does not take"));
}

TEST_F(TlsTest, ACertificateSaysWhoCalls) {
  const auto coordinator = Serve(ours, authority.certificate());
  const auto channel = OpenChannel(AddressOf(*coordinator), With(mine)).value();
  const auto exports = v1::ExportService::NewStub(channel);
  grpc::ClientContext context;
  v1::SubmitResponse response;
  ASSERT_TRUE(exports->Submit(&context, NoopRequest(1), &response).ok());
  EXPECT_EQ(farm.queue->GetRequest(response.request_id())->tenant, "research");
  const absl::Status deletion = Ask(channel, "/slipway.v1.ExportService/Delete", "").status();
  EXPECT_TRUE(absl::IsPermissionDenied(deletion)) << deletion;
  EXPECT_THAT(Message(deletion), HasSubstr("ci-7 of tenant research has submit"));

  const std::vector<std::vector<std::string>> unnamed = {
      {},
      {"DNS:slipway"},
      {"URI:slipway://research/submit"},
      {"URI:slipway://research/owner/x"},
      {"URI:slipway://../admin/x"},
      {"URI:slipway:///admin/x"},
      {"URI:slipway://research/admin/x/y"},
      {"URI:slipway://research/admin/"},
      {"URI:spiffe://research/admin/x"},
      {"URI:slipway://research/submit/a", "URI:slipway://research/admin/b"},
  };
  for (const std::vector<std::string>& names : unnamed) {
    const absl::Status status = Call(AddressOf(*coordinator), With(authority.Issue("unnamed", {.names = names})));
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << testing::PrintToString(names) << status;
    EXPECT_THAT(Message(status), HasSubstr("slipway://TENANT/ROLE/NAME"));
  }
}

TEST_F(TlsTest, WithTokensACertificateIsNotEnough) {
  const std::string tokens = (farm.folder() / "tokens").string();
  const std::string token =
      AddToken(tokens, {.tenant = "a", .role = Role::kRead, .name = "n"}, absl::InfiniteFuture()).value();
  const auto coordinator =
      Start({.listen = {"127.0.0.1:0"}, .tls = {ours.certificate, ours.key, authority.certificate()}, .tokens = tokens})
          .value();
  ChannelSecurity security = With(mine);
  EXPECT_TRUE(absl::IsUnauthenticated(Call(AddressOf(*coordinator), security)));
  security.token = token;
  EXPECT_EQ(Call(AddressOf(*coordinator), security), absl::OkStatus());
  security.files.certificate = security.files.key = "";
  EXPECT_TRUE(absl::IsUnavailable(Call(AddressOf(*coordinator), security)));
}

TEST_F(TlsTest, ANewCertificateIsShownWithoutARestart) {
  const auto coordinator = Serve(ours);
  const Address address = AddressOf(*coordinator);
  ASSERT_EQ(Call(address, Trusting(authority)), absl::OkStatus());
  strangers.Issue("farm");  // in place of the old one
  EXPECT_EQ(Call(address, Trusting(strangers)), absl::OkStatus());
  EXPECT_THAT(WhyNot(address, Trusting(authority)), HasSubstr("signed by \"strangers-authority\""));
}

// Half of new files, or none: the old certificate is shown until they fit.
TEST_F(TlsTest, FilesThatAreOfNoUseLeaveTheOldOnes) {
  const auto coordinator = Serve(ours, authority.certificate());
  const Address address = AddressOf(*coordinator);
  ASSERT_EQ(Call(address, With(mine)), absl::OkStatus());
  const PemFiles next = strangers.Issue("next");
  std::filesystem::copy_file(next.certificate, ours.certificate, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Call(address, With(mine)), absl::OkStatus());  // another's key
  std::filesystem::remove(ours.key);
  EXPECT_EQ(Call(address, With(mine)), absl::OkStatus());
  std::filesystem::copy_file(next.key, ours.key);
  EXPECT_TRUE(absl::IsUnavailable(Call(address, With(mine))));
  ChannelSecurity security = With(mine);
  security.files.ca = strangers.certificate();
  EXPECT_EQ(Call(address, security), absl::OkStatus());
}

// Callers whose authority is no longer one are refused.
TEST_F(TlsTest, ANewAuthorityOfCallersCountsWithoutARestart) {
  const std::filesystem::path trusted = farm.folder() / "trusted.pem";
  std::filesystem::copy_file(authority.certificate(), trusted);
  const auto coordinator = Serve(ours, trusted.string());
  const PemFiles stranger = strangers.Issue("stranger", {.names = {"URI:slipway://research/read/x"}});
  EXPECT_EQ(Call(AddressOf(*coordinator), With(mine)), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(Call(AddressOf(*coordinator), With(stranger))));
  std::filesystem::copy_file(strangers.certificate(), trusted, std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(absl::IsUnavailable(Call(AddressOf(*coordinator), With(mine))));
  EXPECT_EQ(Call(AddressOf(*coordinator), With(stranger)), absl::OkStatus());
}

TEST_F(TlsTest, AddressesOfOthersNeedCredentials) {
  const auto refusal = [&](const CoordinatorOptions& options) {
    const absl::Status status = Start(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
    return Message(status);
  };
  const TlsFiles open{ours.certificate, ours.key, ""}, closed{ours.certificate, ours.key, authority.certificate()};
  EXPECT_THAT(refusal({.listen = {"0.0.0.0:0"}, .tls = open}), HasSubstr("whoever calls could do anything"));
  EXPECT_EQ(Start({.listen = {"0.0.0.0:0"}, .tls = closed}).status(), absl::OkStatus());
  EXPECT_EQ(Start({.listen = {"0.0.0.0:0"}, .tls = open, .insecure = true}).status(), absl::OkStatus());
  const std::string socket = "unix:" + (farm.folder() / "tls.sock").string();
  EXPECT_THAT(refusal({.listen = {socket}, .tls = closed}), HasSubstr("nobody shows a certificate there"));
  // A Unix socket is never encrypted, whatever the client asks for.
  const auto local = Start({.listen = {socket}, .tls = open}).value();
  EXPECT_EQ(Call(Address::Parse(socket).value(), Trusting(authority)), absl::OkStatus());
}

TEST_F(TlsTest, UselessFilesAreRefusedAtTheStart) {
  const PemFiles other = authority.Issue("other");
  const std::string folder = farm.folder().string(), no_pem = folder + "/no.pem", none = folder + "/none";
  ASSERT_EQ(WriteFileAtomically(no_pem, "no certificate"), absl::OkStatus());
  const struct {
    TlsFiles files;
    std::string complaint;
  } cases[] = {
      {{ours.certificate, "", ""}, "--tls-cert " + ours.certificate.string() + ": a TLS certificate goes with its key"},
      {{"", ours.key, ""}, "--tls-key " + ours.key.string() + ": a TLS certificate goes with its key"},
      {{none, ours.key, ""},
       "--tls-cert: open " + none + ": No such file or directory; name a PEM file that this user"},
      {{ours.certificate, none, ""}, "--tls-key: open " + none},
      {{ours.certificate, ours.key, none}, "--tls-client-ca: open " + none},
      {{ours.certificate, folder, ""}, "--tls-key: read " + folder + ": Is a directory"},
      {{no_pem, ours.key, ""}, "--tls-cert " + no_pem + ": no certificate in PEM form"},
      {{ours.certificate, no_pem, ""}, "--tls-key " + no_pem + ": no unencrypted key"},
      {{ours.key, ours.certificate, ""}, "--tls-key " + ours.certificate.string() + ": no unencrypted key"},
      {{ours.certificate, other.key, ""},
       "--tls-key " + other.key.string() + ": not the key of the first certificate in --tls-cert " +
           ours.certificate.string()},
      {{ours.certificate, ours.key, no_pem}, "--tls-client-ca " + no_pem + ": no certificates in PEM form"},
      {{"", "", authority.certificate()}, "TLS needs a certificate"},
  };
  for (const auto& wrong : cases) {
    const absl::Status status = Start({.listen = {"127.0.0.1:0"}, .tls = wrong.files}).status();
    EXPECT_THAT(Message(status), HasSubstr(wrong.complaint));
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << wrong.complaint;
  }
  const Address address = Address::Parse("127.0.0.1:1").value();
  const absl::Status clients = CheckSecurity(address, {.files = {.ca = none}});
  EXPECT_EQ(KindOf(clients), ErrorKind::kUsage);
  EXPECT_THAT(Message(clients), HasSubstr("--tls-ca: open " + none));
  EXPECT_EQ(KindOf(CheckSecurity(address, {.files = {.certificate = ours.certificate}})), ErrorKind::kUsage);
}

TEST_F(TlsTest, TokensDoNotLeaveInPlainText) {
  const Address far = Address::Parse("farm.example:7400").value();
  const absl::Status refused = OpenChannel(far, {.token = "slw_secret"}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("--insecure"));
  EXPECT_THAT(Message(refused), testing::Not(HasSubstr("slw_secret")));
  EXPECT_EQ(CheckSecurity(far, {.token = "slw_secret", .insecure = true}), absl::OkStatus());
  EXPECT_EQ(CheckSecurity(far, {.files = {.ca = authority.certificate()}, .token = "slw_secret"}), absl::OkStatus());
  for (const char* near : {"127.0.0.1:7400", "localhost:7400", "[::1]:7400", "unix:/run/slipway.sock"})
    EXPECT_EQ(CheckSecurity(Address::Parse(near).value(), {.token = "slw_secret"}), absl::OkStatus()) << near;
  for (const char* token : {"two words", "line\nbreak", "\x7f", "caf\xc3\xa9"}) {
    const absl::Status malformed = CheckSecurity(far, {.tls = true, .token = token});
    EXPECT_TRUE(absl::IsInvalidArgument(malformed)) << token;
    EXPECT_THAT(Message(malformed), testing::Not(HasSubstr(token)));
  }
}

}  // namespace
}  // namespace slipway
