// Credentials that are lent for a while: by an STS for a web identity, by a container's own endpoint.
#include <algorithm>
#include <cctype>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <pugixml.hpp>

#include "absl/time/clock.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/s3/credentials.h"
#include "common/store/s3/http.h"

namespace slipway::s3 {
namespace {

constexpr absl::Duration kAhead = absl::Minutes(5);  // of the end, before which new ones are asked for
constexpr absl::Duration kPause = absl::Minutes(1);  // after a failure, while the old ones hold
constexpr absl::Duration kTimeout = absl::Seconds(10);

struct Loan {
  std::mutex mutex;
  Credentials current{.expires = absl::InfinitePast()};
  absl::Time ask_at = absl::InfinitePast();
  std::mutex asking;
};

absl::StatusOr<Credentials> Borrow(Loan& loan, const CredentialSource::Get& lend) {
  const auto usable = [&](bool soon_gone) -> std::optional<Credentials> {
    std::lock_guard lock(loan.mutex);
    if (absl::Now() < (soon_gone ? loan.current.expires : loan.ask_at)) return loan.current;
    return std::nullopt;
  };
  if (auto current = usable(false)) return *std::move(current);
  std::unique_lock asking(loan.asking, std::try_to_lock);
  if (!asking.owns_lock()) {
    if (auto current = usable(true)) return *std::move(current);
    asking.lock();
  }
  if (auto current = usable(false)) return *std::move(current);  // another has asked meanwhile
  absl::StatusOr<Credentials> lent = lend();
  std::lock_guard lock(loan.mutex);
  const absl::Time now = absl::Now();
  if (lent.ok()) {
    loan.current = *lent;
    loan.ask_at = lent->expires - kAhead;
  } else if (now < loan.current.expires) {
    LogWarning("S3 credentials not renewed", {{"expire", absl::FormatTime(loan.current.expires, absl::UTCTimeZone())},
                                              {"reason", Message(lent.status())}});
    loan.ask_at = std::min(now + kPause, loan.current.expires);
    return loan.current;
  }
  return lent;
}

absl::StatusOr<Credentials> Checked(Credentials credentials, std::string_view expires, std::string_view from) {
  std::string why;
  if (!absl::ParseTime(absl::RFC3339_full, absl::string_view(expires.data(), expires.size()), &credentials.expires,
                       &why) ||
      credentials.access_key.empty() || credentials.secret_key.empty() || credentials.session_token.empty())
    return Unavailable("{}: the answer has no key, secret, token and time of expiry", from);
  return credentials;
}

absl::StatusOr<std::string> Body(const HttpRequest& request, std::string_view what) {
  absl::StatusOr<HttpResponse> response = HttpClient(kTimeout).Send(request);
  if (!response.ok()) return Annotate(response.status(), what);
  if (response->status == 200) return std::move(response->body);
  pugi::xml_document document;
  document.load_buffer(response->body.data(), response->body.size());
  const pugi::xml_node error = document.document_element().child("Error");
  const std::string text =
      fmt::format("{}: HTTP {} {} {}", what, response->status, error.child_value("Code"), error.child_value("Message"));
  if (response->status >= 500 || response->status == 429) return Unavailable("{}", text);
  return WithKind(PermissionDenied("{}", text), ErrorKind::kMachine);
}

absl::StatusOr<std::string> Token(const std::string& file) {
  ASSIGN_OR_RETURN(std::string token, ReadFile(file));
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.pop_back();
  return token;
}

}  // namespace

CredentialSource Renewed(CredentialSource::Get lend) {
  return CredentialSource([loan = std::make_shared<Loan>(), lend = std::move(lend)] { return Borrow(*loan, lend); });
}

CredentialSource::Get WebIdentity(std::string endpoint, std::string role, std::string session, std::string token) {
  return [=]() -> absl::StatusOr<Credentials> {
    ASSIGN_OR_RETURN(const std::string identity, Token(token));
    const std::string form = CanonicalQuery({{"Action", "AssumeRoleWithWebIdentity"},
                                             {"Version", "2011-06-15"},
                                             {"RoleArn", role},
                                             {"RoleSessionName", session},
                                             {"WebIdentityToken", identity}});
    const std::string what = fmt::format("STS {}: {}", endpoint, role);
    ASSIGN_OR_RETURN(const std::string body, Body({.method = "POST",
                                                   .url = endpoint,
                                                   .headers = {{"content-type", "application/x-www-form-urlencoded"}},
                                                   .body = form},
                                                  what));
    pugi::xml_document document;
    document.load_buffer(body.data(), body.size());
    const pugi::xml_node lent =
        document.document_element().child("AssumeRoleWithWebIdentityResult").child("Credentials");
    return Checked(
        {lent.child_value("AccessKeyId"), lent.child_value("SecretAccessKey"), lent.child_value("SessionToken")},
        lent.child_value("Expiration"), what);
  };
}

absl::StatusOr<CredentialSource::Get> ContainerRole(std::string url, std::string authorization, std::string token) {
  // This machine's, and the link-local ones of ECS and EKS.
  constexpr std::string_view kNear[] = {"127.0.0.1",     "localhost",      "[::1]",
                                        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  if (url.starts_with("http://")) {
    const std::string_view authority = std::string_view(url).substr(7, url.find('/', 7) - 7);
    const std::string_view host = authority.substr(0, authority.find(':', authority.find(']') + 1));
    if (std::ranges::find(kNear, host) == std::end(kNear) || authority.find('@') != authority.npos) {
      return WithKind(
          FailedPrecondition(
              "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http to {}: it must be https, or this machine's own", host),
          ErrorKind::kUsage);
    }
  }
  return [=]() -> absl::StatusOr<Credentials> {
    Fields headers;
    if (!token.empty()) {
      ASSIGN_OR_RETURN(std::string read, Token(token));
      headers.emplace_back("authorization", std::move(read));
    } else if (!authorization.empty()) {
      headers.emplace_back("authorization", authorization);
    }
    ASSIGN_OR_RETURN(const std::string body, Body({.method = "GET", .url = url, .headers = headers}, url));
    const nlohmann::json lent = nlohmann::json::parse(body, nullptr, false);
    const auto field = [&](const char* name) {
      const auto found = lent.find(name);
      return lent.is_object() && found != lent.end() && found->is_string() ? found->get<std::string>() : "";
    };
    return Checked({field("AccessKeyId"), field("SecretAccessKey"), field("Token")}, field("Expiration"), url);
  };
}

}  // namespace slipway::s3
