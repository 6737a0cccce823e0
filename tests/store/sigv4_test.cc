// The worked examples of AWS' "Authenticating Requests: Using the Authorization Header", with their published signatures.
#include "common/store/s3/sigv4.h"

#include <gtest/gtest.h>

namespace slipway::s3 {
namespace {

const Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr char kHost[] = "examplebucket.s3.amazonaws.com";

std::string Authorization(const SignableRequest& request, const Credentials& credentials = kExample) {
  absl::Time time = absl::FromCivil(absl::CivilSecond(2013, 5, 24), absl::UTCTimeZone());
  return SignedHeaders(request, credentials, "us-east-1", time).back().second;
}

std::string Signature(const SignableRequest& request) {
  std::string text = Authorization(request);
  return text.substr(text.find("Signature=") + 10);
}

TEST(SigV4Test, GetOfARange) {
  SignableRequest get{.method = "GET", .host = kHost, .path = "/test.txt", .headers = {{"range", "bytes=0-9"}}};
  EXPECT_EQ(Authorization(get),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4Test, PutOfAnObjectWhoseNameNeedsEncoding) {
  SignableRequest put{
      .method = "PUT",
      .host = kHost,
      .path = "/test$file.text",
      .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
      .payload = "Welcome to Amazon S3."};
  EXPECT_EQ(Signature(put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4Test, QueriesWithAndWithoutValues) {
  SignableRequest lifecycle{.method = "GET", .host = kHost, .path = "/", .query = {{"lifecycle", ""}}};
  EXPECT_EQ(Signature(lifecycle), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  SignableRequest list{.method = "GET", .host = kHost, .path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}};
  EXPECT_EQ(Signature(list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4Test, ASessionTokenIsSignedToo) {
  SignableRequest get{.method = "GET", .host = kHost, .path = "/"};
  Credentials session = kExample;
  session.session_token = "token";
  EXPECT_NE(Authorization(get, session).find(";x-amz-security-token,"), std::string::npos);
}

TEST(SigV4Test, EncodingIsRfc3986) {
  EXPECT_EQ(UriEncode("a/b c~d-e_f.g+*%", false), "a%2Fb%20c~d-e_f.g%2B%2A%25");
  EXPECT_EQ(UriEncode("a/b", true), "a/b");
  EXPECT_EQ(CanonicalQuery({{"b", "2"}, {"a", "x y"}, {"a-", ""}}), "a=x%20y&a-=&b=2");
}

}  // namespace
}  // namespace slipway::s3
