#include "runtime/trust/openssl_handles.hpp"

#include "runtime/trust/node_certificate.hpp"

#include <openssl/pem.h>

namespace rahat::openssl {

namespace {

/// OpenSSL's own callback would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

} // namespace

certificate next_certificate(BIO* in) {
  return certificate{PEM_read_bio_X509(in, nullptr, &no_passphrase, nullptr)};
}

certificate parse_certificate(std::string_view pem) {
  auto in = reader_of(pem);
  return in ? next_certificate(in.get()) : nullptr;
}

key parse_key(std::string_view pem) {
  auto in = reader_of(pem);
  return key{in ? PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr) : nullptr};
}

std::optional<uuid> node_of(const X509* cert) {
  general_names names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr))};
  const auto prefix = node_uri_prefix;
  std::optional<uuid> found;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI)
      continue;
    const auto* text = name->d.uniformResourceIdentifier;
    std::string_view uri{reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text))};
    if (!uri.starts_with(prefix))
      continue;
    if (found)
      return std::nullopt;
    found = uuid::parse(uri.substr(prefix.size()));
    if (!found)
      return std::nullopt;
  }
  return found;
}

} // namespace rahat::openssl
