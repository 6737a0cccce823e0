// Certificates made for a test: authorities, servers, clients.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

struct PemFiles {
  std::filesystem::path certificate, key;
};

struct CertificateOptions {
  // As OpenSSL writes them: "DNS:localhost", "IP:127.0.0.1", "URI:slipway://research/submit/ci".
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"};
  long valid_from = -3600, valid_until = 3600;  // seconds from now
};

// A certificate authority of its own, with a new key. Its files stay in `folder`, which must exist.
class Authority {
 public:
  Authority(const std::filesystem::path& folder, std::string name);
  ~Authority();
  std::filesystem::path certificate() const;  // for --tls-ca
  // Writes <name>.pem and <name>.key, whole, in place of earlier ones.
  PemFiles Issue(const std::string& name, const CertificateOptions& options = {}) const;

 private:
  struct Keys;
  const std::filesystem::path folder_;
  const std::string name_;
  const std::unique_ptr<Keys> keys_;
};

}  // namespace slipway
