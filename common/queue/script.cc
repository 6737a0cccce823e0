#include "common/queue/script.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <map>

#include "common/base/log.h"

namespace slipway {
namespace {

std::string Sha1Hex(std::string_view text) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), hash, &size, EVP_sha1(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", hash[i]);
  return hex;
}

std::map<std::string_view, Script> MakeScripts() {
  std::map<std::string_view, Script> scripts;
  for (const ScriptSource& source : ScriptSources()) scripts[source.name] = {source.text, Sha1Hex(source.text)};
  return scripts;
}

}  // namespace

const Script& FindScript(std::string_view name) {
  static const std::map<std::string_view, Script> scripts = MakeScripts();
  auto found = scripts.find(name);
  if (found == scripts.end()) {
    LogError("no such script", {{"name", std::string(name)}});
    std::abort();
  }
  return found->second;
}

}  // namespace slipway
