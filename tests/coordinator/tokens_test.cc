// The file of tokens: what it takes, what it says of a token, how it changes.
#include "common/access/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class FakeClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
};

class TokensTest : public testing::Test {
 protected:
  std::filesystem::path file() const { return folder.path() / "tokens"; }
  mode_t Mode() const {
    struct stat info {};
    EXPECT_EQ(stat(file().c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  // As a keeper with an editor would.
  void Write(const std::string& text) { ASSERT_EQ(WriteFileAtomically(file(), text), absl::OkStatus()); }

  TemporaryFolder folder = TemporaryFolder::Create("/tmp", "slipway-tokens-").value();
  FakeClock clock;
};

TEST_F(TokensTest, ATokenIsKnownUntilItExpires) {
  const std::string token =
      AddToken(file(), {.tenant = "research", .role = Role::kSubmit, .name = "ci-7"}, clock.now + absl::Hours(1))
          .value();
  EXPECT_THAT(token, MatchesRegex("slw_[0-9a-f]{64}"));
  const auto tokens = TokenFile::Open(file(), clock).value();
  const Identity caller = tokens->Find(token).value();
  EXPECT_EQ(caller.tenant, "research");
  EXPECT_EQ(caller.role, Role::kSubmit);
  EXPECT_EQ(caller.name, "ci-7");

  clock.now += absl::Hours(1) - absl::Seconds(1);
  EXPECT_EQ(tokens->Find(token).status(), absl::OkStatus());
  clock.now += absl::Seconds(1);
  const absl::Status expired = tokens->Find(token).status();
  EXPECT_TRUE(absl::IsUnauthenticated(expired)) << expired;
  EXPECT_EQ(KindOf(expired), ErrorKind::kUsage);
  EXPECT_THAT(Message(expired), HasSubstr("ci-7 expired at 2027-01-15T09:00:00Z"));

  std::string forged = token;
  forged.back() = forged.back() == '0' ? '1' : '0';
  for (const std::string& stranger : {forged, std::string(), token.substr(4), token + "0"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(tokens->Find(stranger).status())) << stranger;
  }
}

TEST_F(TokensTest, TheFileKnowsNoToken) {
  const std::string token = AddToken(file(), {.tenant = "a", .name = "n"}, absl::InfiniteFuture()).value();
  const std::string text = ReadFile(file()).value();
  EXPECT_THAT(text, Not(HasSubstr(token.substr(4))));
  EXPECT_THAT(text, HasSubstr(Digest::Of(token).Hex() + "  a  read  n  never\n"));
  EXPECT_EQ(Mode(), 0600u);
}

TEST_F(TokensTest, AChangeKeepsTheModeAndWhatTheFileSaysBesides) {
  Write("# by hand\n" + Digest::Of("slw_hunter2").Hex() + " research admin alice never\n");
  ASSERT_EQ(chmod(file().c_str(), 0640), 0);
  ASSERT_TRUE(AddToken(file(), {.tenant = "a", .name = "n"}, absl::InfiniteFuture()).ok());
  EXPECT_EQ(Mode(), 0640u);
  const auto tokens = TokenFile::Open(file()).value();
  EXPECT_EQ(tokens->Find("slw_hunter2").value().name, "alice");
  EXPECT_THAT(ReadFile(file()).value(), HasSubstr("# by hand\n"));
  const absl::Status twice = AddToken(file(), {.tenant = "b", .name = "n"}, absl::InfiniteFuture()).status();
  EXPECT_TRUE(absl::IsAlreadyExists(twice)) << twice;

  ASSERT_EQ(RevokeToken(file(), "n"), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(RevokeToken(file(), "n")));
  EXPECT_EQ(ReadTokens(file()).value().size(), 1u);
  EXPECT_EQ(Mode(), 0640u);
}

TEST_F(TokensTest, ManyKeepersLoseNothing) {
  std::vector<std::thread> keepers;
  for (int keeper = 0; keeper < 8; ++keeper) {
    keepers.emplace_back([this, keeper] {
      for (int i = 0; i < 5; ++i) {
        const std::string name = std::to_string(keeper) + "." + std::to_string(i);
        EXPECT_EQ(AddToken(file(), {.tenant = "a", .name = name}, absl::InfiniteFuture()).status(), absl::OkStatus());
        if (i % 2 == 1) {
          EXPECT_EQ(RevokeToken(file(), name), absl::OkStatus());
        }
      }
    });
  }
  for (std::thread& keeper : keepers) keeper.join();
  EXPECT_EQ(ReadTokens(file()).value().size(), 8u * 3);
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1);  // no temporary file stays
}

TEST_F(TokensTest, AChangedFileIsReadAgainAndABrokenOneIsNot) {
  const std::string first = AddToken(file(), {.tenant = "a", .name = "first"}, absl::InfiniteFuture()).value();
  const auto tokens = TokenFile::Open(file()).value();
  const std::string second = AddToken(file(), {.tenant = "b", .name = "second"}, absl::InfiniteFuture()).value();
  tokens->Refresh();
  EXPECT_EQ(tokens->Find(second).value().tenant, "b");
  EXPECT_EQ(tokens->Find(first).value().tenant, "a");

  const std::string whole = ReadFile(file()).value();
  Write(whole.substr(0, whole.size() - 20));
  tokens->Refresh();
  EXPECT_EQ(tokens->Find(second).value().tenant, "b");
  std::filesystem::remove(file());
  tokens->Refresh();
  EXPECT_EQ(tokens->Find(second).value().tenant, "b");

  Write(whole);
  ASSERT_EQ(RevokeToken(file(), "first"), absl::OkStatus());
  tokens->Refresh();
  EXPECT_TRUE(absl::IsUnauthenticated(tokens->Find(first).status()));
  EXPECT_EQ(tokens->Find(second).value().tenant, "b");
}

// Without anybody saying so.
TEST_F(TokensTest, ANewTokenIsKnownAtOnce) {
  AddToken(file(), {.tenant = "a", .name = "first"}, absl::InfiniteFuture()).value();
  const auto tokens = TokenFile::Open(file()).value();
  for (const char* name : {"second", "third", "fourth"}) {
    const std::string token = AddToken(file(), {.tenant = "a", .name = name}, absl::InfiniteFuture()).value();
    EXPECT_EQ(tokens->Find(token).value().name, name);
  }
}

TEST_F(TokensTest, ARevokedTokenIsRefusedSoon) {
  const std::string token = AddToken(file(), {.tenant = "a", .name = "n"}, absl::InfiniteFuture()).value();
  const auto tokens = TokenFile::Open(file()).value();
  ASSERT_EQ(tokens->Find(token).status(), absl::OkStatus());
  ASSERT_EQ(RevokeToken(file(), "n"), absl::OkStatus());
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (tokens->Find(token).ok() && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(absl::IsUnauthenticated(tokens->Find(token).status()));
}

TEST_F(TokensTest, AMalformedFileIsRefusedByItsLine) {
  const std::string hash = Digest::Of("slw_hunter2").Hex(), other = Digest::Of("slw_other").Hex();
  const struct {
    std::string text;
    const char* complaint;
  } cases[] = {
      {"\n# x\n" + hash + " a read n\n", "line 3: a token's line has five words"},
      {hash + " a read n never more\n", "five words"},
      {"slw_hunter2 a read n never\n", "no SHA-256"},
      {hash.substr(1) + " a read n never\n", "no SHA-256"},
      {hash + " ../b read n never\n", "no tenant's name"},
      {hash + " A read n never\n", "no tenant's name"},
      {hash + " " + std::string(65, 'a') + " read n never\n", "no tenant's name"},
      {hash + " a write n never\n", "no role"},
      {hash + " a read n/m never\n", "no token's name"},
      {hash + " a read n 2027-13-01T00:00:00Z\n", "no time"},
      {hash + " a read n tomorrow\n", "no time"},
      {hash + " a read n never\n" + other + " b read n never\n", "line 2: a second token named n"},
      {hash + " a read n never\n" + hash + " b read m never\n", "line 2: the token of n again"},
  };
  for (const auto& wrong : cases) {
    Write(wrong.text);
    const absl::Status status = TokenFile::Open(file()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong.text << status;
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
    EXPECT_THAT(Message(status), HasSubstr(wrong.complaint));
    EXPECT_THAT(Message(status), HasSubstr(file().string()));
  }
  Write("# nobody yet\n");
  EXPECT_EQ(TokenFile::Open(file()).status(), absl::OkStatus());
  ASSERT_EQ(chmod(file().c_str(), 0602), 0);
  EXPECT_THAT(Message(TokenFile::Open(file()).status()), HasSubstr("anybody may write to it"));
  EXPECT_TRUE(absl::IsNotFound(TokenFile::Open(folder.path() / "none").status()));
}

}  // namespace
}  // namespace slipway
