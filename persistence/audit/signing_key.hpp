#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

typedef struct evp_pkey_st EVP_PKEY; // as openssl/types.h has it

namespace rahat::audit {

struct pkey_delete {
  void operator()(EVP_PKEY* key) const;
};
using pkey = std::unique_ptr<EVP_PKEY, pkey_delete>;

/// The Ed25519 key that signs the shards' heads.
class signing_key {
public:
  /// Reads the key, or makes it (0600, its folder 0700) and adds its public half to the file `pub`.
  /// Throws audit_error when the key is damaged, readable by others, or missing although `pub`
  /// says that there was one: a new key in its place would look like a forger's.
  static signing_key load_or_make(const std::filesystem::path& file,
                                  const std::filesystem::path& pub);

  /// 64 bytes.
  std::string sign(std::string_view bytes) const;

  /// The first 8 bytes of SHA-256 over the public key, in hex.
  const std::string& id() const { return id_; }

private:
  explicit signing_key(pkey key);

  pkey key_;
  std::string id_;
};

/// The public keys of a file of PEM blocks: all that ever signed here.
class public_keys {
public:
  /// A file that is missing holds none. Throws audit_error when it holds something else than keys.
  static public_keys load(const std::filesystem::path& file);

  bool empty() const { return keys_.empty(); }
  bool knows(std::string_view id) const;
  bool verify(std::string_view id, std::string_view bytes, std::string_view signature) const;

private:
  struct one {
    std::string id;
    pkey key;
  };

  std::vector<one> keys_;
};

} // namespace rahat::audit
