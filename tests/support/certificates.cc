#include "tests/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "common/base/error.h"
#include "common/base/file.h"

namespace slipway {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

void Require(bool done, const std::string& what) {
  if (!done) throw std::runtime_error("certificates: " + what);
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value);
  X509_EXTENSION_free(extension);
}

// Unsigned, with a key of its own.
Certificate Blank(const std::string& name, EVP_PKEY* key, long valid_from, long valid_until) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_until);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

template <typename Write>
void WritePem(const std::filesystem::path& file, const Write& write) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> memory(BIO_new(BIO_s_mem()));
  Require(write(memory.get()) == 1, file.string());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  const absl::Status status = WriteFileAtomically(file, std::string_view(data, static_cast<size_t>(size)));
  Require(status.ok(), Message(status));
}

}  // namespace

struct Authority::Keys {
  Key key;
  Certificate certificate;
};

Authority::Authority(const std::filesystem::path& folder, std::string name)
    : folder_(folder), name_(std::move(name)), keys_(std::make_unique<Keys>()) {
  keys_->key.reset(EVP_EC_gen("P-256"));
  keys_->certificate = Blank(name_, keys_->key.get(), -7200, 7200);
  X509* certificate = keys_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(certificate, certificate, NID_subject_key_identifier, "hash");
  Require(X509_sign(certificate, keys_->key.get(), EVP_sha256()) > 0, name_);
  WritePem(this->certificate(), [&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

Authority::~Authority() = default;

std::filesystem::path Authority::certificate() const { return folder_ / (name_ + ".pem"); }

PemFiles Authority::Issue(const std::string& name, const CertificateOptions& options) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate made = Blank(name, key.get(), options.valid_from, options.valid_until);
  X509* issuer = keys_->certificate.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
  std::string names;
  for (const std::string& text : options.names) names += (names.empty() ? "" : ",") + text;
  if (!names.empty()) AddExtension(made.get(), issuer, NID_subject_alt_name, names);
  AddExtension(made.get(), issuer, NID_authority_key_identifier, "keyid");
  Require(X509_sign(made.get(), keys_->key.get(), EVP_sha256()) > 0, name);
  const PemFiles files{.certificate = folder_ / (name + ".pem"), .key = folder_ / (name + ".key")};
  WritePem(files.key,
           [&](BIO* out) { return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  WritePem(files.certificate, [&](BIO* out) { return PEM_write_bio_X509(out, made.get()); });
  return files;
}

}  // namespace slipway
