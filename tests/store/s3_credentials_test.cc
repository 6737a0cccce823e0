// Where the credentials of a bucket come from, and that they are the ones of now.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/store/s3/credentials.h"
#include "common/store/s3/s3_store.h"
#include "tests/store/lender.h"
#include "tests/support/s3_server.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::string Key(const s3::CredentialSource& source) {
  const absl::StatusOr<s3::Credentials> now = source.Now();
  return now.ok() ? now->access_key : Message(now.status());
}

std::string Profile(const std::string& name, const s3::Credentials& keys) {
  return fmt::format("[{}]\naws_access_key_id = {}\naws_secret_access_key={}\naws_session_token = {}\n", name,
                     keys.access_key, keys.secret_key, keys.session_token);
}

std::string Until(absl::Duration from_now) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + from_now, absl::UTCTimeZone());
}

// An STS' answer, as AWS documents it.
std::string Lent(const s3::Credentials& keys, absl::Duration lifetime) {
  return fmt::format(
      "<AssumeRoleWithWebIdentityResponse "
      "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>"
      "<Audience>a</Audience><Credentials><SessionToken>{}</SessionToken><SecretAccessKey>{}</SecretAccessKey>"
      "<Expiration>{}</Expiration><AccessKeyId>{}</AccessKeyId></Credentials>"
      "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
      keys.session_token, keys.secret_key, Until(lifetime), keys.access_key);
}

s3::Credentials Keys(const std::string& name) { return {name, name + "-secret", name + "-token"}; }

class S3CredentialsTest : public ::testing::Test {
 protected:
  // Nothing of the environment in which the tests run.
  S3CredentialsTest() {
    for (const char* name :
         {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
          "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
          "AWS_ENDPOINT_URL_STS", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
          "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "HOME"}) {
      if (const char* value = std::getenv(name)) before_[name] = value;
      ::unsetenv(name);
      names_.push_back(name);
    }
  }
  ~S3CredentialsTest() override {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
    for (const auto& [name, value] : before_) Set(name, value);
  }
  static void Set(const std::string& name, const std::string& value) { ::setenv(name.c_str(), value.c_str(), 1); }
  std::filesystem::path Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(folder_.path() / name, text).ok());
    return folder_.path() / name;
  }
  void SetWebIdentity() {
    Set("AWS_WEB_IDENTITY_TOKEN_FILE", Write("identity", "who/am+i\n"));
    Set("AWS_ROLE_ARN", "arn:aws:iam::1:role/farm");
    Set("AWS_ENDPOINT_URL_STS", lender_.url());
  }

  TemporaryFolder folder_ = TemporaryFolder::Create("/tmp", "slipway-credentials-").value();
  Lender lender_;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::string> before_;
};

TEST_F(S3CredentialsTest, AFileGoesBeforeTheEnvironmentAndItsKeysBeforeItsFile) {
  const std::filesystem::path file = Write("file", Profile("other", Keys("other")) + Profile("default", Keys("file")));
  Set("AWS_SHARED_CREDENTIALS_FILE", file);
  EXPECT_EQ(Key(*FindS3Credentials()), "file");
  Set("AWS_PROFILE", "other");
  const s3::Credentials other = FindS3Credentials()->Now().value();
  EXPECT_EQ(other.secret_key, "other-secret");
  EXPECT_EQ(other.session_token, "other-token");
  Set("AWS_ACCESS_KEY_ID", "variable");
  Set("AWS_SECRET_ACCESS_KEY", "variable-secret");
  Set("AWS_SESSION_TOKEN", "variable-token");
  EXPECT_EQ(FindS3Credentials()->Now()->session_token, "variable-token");
  EXPECT_EQ(Key(*FindS3Credentials(file)), "other");
}

TEST_F(S3CredentialsTest, WithoutAnyItIsAUsageError) {
  EXPECT_EQ(KindOf(FindS3Credentials().status()), ErrorKind::kUsage);
  EXPECT_EQ(KindOf(FindS3Credentials(folder_.path() / "none").status()), ErrorKind::kUsage);
  EXPECT_EQ(KindOf(FindS3Credentials(Write("empty", "[default]\n")).status()), ErrorKind::kUsage);
  Set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1@elsewhere/role");
  const absl::Status plain = FindS3Credentials().status();
  EXPECT_EQ(KindOf(plain), ErrorKind::kUsage);
  EXPECT_THAT(Message(plain), HasSubstr("https"));
}

// A store that is open goes on with what the file says now.
TEST_F(S3CredentialsTest, AChangedFileIsReadAgain) {
  S3Server server;
  const s3::Credentials right = S3Server::credentials();
  s3::Credentials wrong = right;
  wrong.secret_key = "rotated away";
  const std::filesystem::path file = Write("file", Profile("default", wrong));
  const std::unique_ptr<Store> store = OpenS3Store(server.options(), *FindS3Credentials(file)).value();
  EXPECT_EQ(store->Check().code(), absl::StatusCode::kPermissionDenied);
  Write("file", Profile("default", right));
  EXPECT_TRUE(store->Check().ok());
  std::filesystem::remove(file);  // half-way of being replaced
  EXPECT_TRUE(store->Check().ok());
}

TEST_F(S3CredentialsTest, AWebIdentityIsLentARole) {
  S3Server server;
  SetWebIdentity();
  s3::Credentials keys = S3Server::credentials();
  if (keys.session_token.empty()) keys.session_token = "one that rclone does not read";
  lender_.Answer(200, Lent(keys, absl::Hours(1)));
  const std::unique_ptr<Store> store = OpenS3Store(server.options(), *FindS3Credentials()).value();
  const absl::StatusOr<Digest> digest = WriteBlob(*store, "default", "abc");
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(ReadBlob(*store, "default", *digest).value(), "abc");
  ASSERT_THAT(lender_.requests(), SizeIs(1));
  const std::string asked = lender_.requests()[0];
  EXPECT_THAT(asked, HasSubstr("POST /lend HTTP/1.1\r\n"));
  EXPECT_THAT(asked, HasSubstr("ontent-type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(asked, HasSubstr("Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Ffarm&"
                               "RoleSessionName=slipway&Version=2011-06-15&WebIdentityToken=who%2Fam%2Bi"));
}

TEST_F(S3CredentialsTest, WhatIsLentIsRenewedBeforeItExpires) {
  SetWebIdentity();
  const s3::CredentialSource source = FindS3Credentials().value();
  lender_.Answer(200, Lent(Keys("first"), absl::Minutes(4)));
  EXPECT_EQ(Key(source), "first");
  Write("identity", "renewed too");
  lender_.Answer(200, Lent(Keys("second"), absl::Hours(1)));
  EXPECT_EQ(Key(source), "second");
  EXPECT_EQ(Key(source), "second");
  ASSERT_THAT(lender_.requests(), SizeIs(2));
  EXPECT_THAT(lender_.requests()[1], HasSubstr("WebIdentityToken=renewed%20too"));
}

TEST_F(S3CredentialsTest, WhatIsLentHoldsWhileNobodyLendsAnew) {
  SetWebIdentity();
  const s3::CredentialSource source = FindS3Credentials().value();
  lender_.Answer(200, Lent(Keys("first"), absl::Minutes(4)));
  EXPECT_EQ(Key(source), "first");
  EXPECT_EQ(Key(source), "first");  // 500
  EXPECT_EQ(Key(source), "first");
  EXPECT_THAT(lender_.requests(), SizeIs(2));  // and not asked at every request
}

TEST_F(S3CredentialsTest, WhatExpiredIsNotUsed) {
  SetWebIdentity();
  const s3::CredentialSource source = FindS3Credentials().value();
  lender_.Answer(200, Lent(Keys("first"), -absl::Minutes(1)));
  EXPECT_EQ(Key(source), "first");
  lender_.Answer(403,
                 "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not "
                 "you</Message></Error></ErrorResponse>");
  const absl::Status refused = source.Now().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(refused), HasSubstr("AccessDenied Not you"));
  EXPECT_THAT(Message(refused), Not(HasSubstr("who")));
  EXPECT_EQ(source.Now().status().code(), absl::StatusCode::kUnavailable);
  lender_.Answer(200, "<html>");
  EXPECT_EQ(source.Now().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(S3CredentialsTest, AContainerIsLentItsRole) {
  Set("AWS_CONTAINER_CREDENTIALS_FULL_URI", lender_.url() + "/role?x=1");
  Set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "plain");
  const auto answer = [&](const std::string& key) {
    lender_.Answer(
        200,
        fmt::format(
            R"({{"RoleArn":"r","AccessKeyId":"{0}","SecretAccessKey":"{0}-secret","Token":"{0}-token","Expiration":"{1}"}})",
            key, Until(absl::Minutes(4))));
  };
  answer("first");
  const s3::Credentials lent = FindS3Credentials()->Now().value();
  EXPECT_EQ(lent.access_key, "first");
  EXPECT_EQ(lent.secret_key, "first-secret");
  EXPECT_EQ(lent.session_token, "first-token");
  EXPECT_THAT(lender_.requests().back(), HasSubstr("GET /lend/role?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(lender_.requests().back(), HasSubstr("authorization: plain\r\n"));
  Set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Write("token", "kept\n"));
  answer("second");
  EXPECT_EQ(Key(*FindS3Credentials()), "second");
  EXPECT_THAT(lender_.requests().back(), HasSubstr("authorization: kept\r\n"));
  lender_.Answer(200, R"({"Code": 1})");
  EXPECT_EQ(FindS3Credentials()->Now().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace slipway
