#pragma once

#include "runtime/decider/id.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <memory>
#include <optional>
#include <string_view>

/// Owners of OpenSSL's objects, for the .cpp files of this folder only.
namespace rahat::openssl {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using bio = std::unique_ptr<BIO, freed_by<BIO_free>>;
using big_number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using certificate = std::unique_ptr<X509, freed_by<X509_free>>;
using extension = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;
using general_names = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;
using key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using trust_store = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using trust_context = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;

/// Leaves the thread's error queue as it was found: whoever speaks TLS on this thread next must not
/// take our refusals for its own.
class error_mark {
public:
  error_mark() { ERR_set_mark(); }
  ~error_mark() { ERR_pop_to_mark(); }
  error_mark(const error_mark&) = delete;
  error_mark& operator=(const error_mark&) = delete;
};

/// A view of the text: it must live as long.
inline bio reader_of(std::string_view text) {
  return bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// SHA-256, but none for Ed25519 and Ed448, which hash by themselves and refuse to be given one.
inline const EVP_MD* digest_for(const EVP_PKEY* key) {
  auto kind = EVP_PKEY_get_base_id(key);
  return kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448 ? nullptr : EVP_sha256();
}

/// The next certificate of a reader; null at its end or at anything else.
certificate next_certificate(BIO* in);

/// The first certificate of a PEM text; null when there is none.
certificate parse_certificate(std::string_view pem);

/// The private key of a PEM text, null when there is none or it is encrypted: nobody is there to
/// be asked for a passphrase.
key parse_key(std::string_view pem);

/// The node that the certificate names: the uuid of its only URI `urn:rahat:node:<uuid>`. Empty
/// when there is none, or more than one.
std::optional<uuid> node_of(const X509* cert);

} // namespace rahat::openssl
