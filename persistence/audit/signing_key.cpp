#include "persistence/audit/signing_key.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/embedded/data_folder.hpp"
#include "runtime/decider/id.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <array>

namespace rahat::audit {

namespace {

constexpr std::size_t public_bytes = 32;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t id_bytes = 8;

struct bio_delete {
  void operator()(BIO* b) const { BIO_free_all(b); }
};
using bio = std::unique_ptr<BIO, bio_delete>;

struct context_delete {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
using context = std::unique_ptr<EVP_MD_CTX, context_delete>;

bio reader_of(const std::string& text) {
  return bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::string text_of(const bio& b) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(b.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string id_of(const pkey& key) {
  std::array<unsigned char, public_bytes> raw{};
  auto size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1 || size != raw.size())
    throw audit_error{"a key of the audit is not an Ed25519 key"};
  const auto hash = sha256({reinterpret_cast<const char*>(raw.data()), raw.size()});
  return hex(view(hash).substr(0, id_bytes));
}

std::string private_pem(const pkey& key) {
  bio out{BIO_new(BIO_s_mem())};
  if (PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1)
    throw audit_error{"cannot write the audit's key as PEM"};
  return text_of(out);
}

std::string public_pem(const pkey& key) {
  bio out{BIO_new(BIO_s_mem())};
  if (PEM_write_bio_PUBKEY(out.get(), key.get()) != 1)
    throw audit_error{"cannot write the audit's public key as PEM"};
  return text_of(out);
}

void require_private(const std::filesystem::path& file) {
  struct stat is {};
  if (stat(file.c_str(), &is) == 0 && (is.st_mode & 077) != 0)
    throw audit_error{"the audit's key " + file.string() +
                      " can be read by others: chmod 600 it,"
                      " and think about who may have signed with it"};
}

void write_public(const std::filesystem::path& file, const std::string& text) {
  write_file_durably(file, text);
  chmod(file.c_str(), 0644); // whoever checks the file may read it
}

pkey make_key() {
  pkey key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  if (!key)
    throw audit_error{"OpenSSL cannot make an Ed25519 key"};
  return key;
}

} // namespace

void pkey_delete::operator()(EVP_PKEY* key) const {
  EVP_PKEY_free(key);
}

signing_key::signing_key(pkey key) : key_(std::move(key)), id_(id_of(key_)) {}

signing_key signing_key::load_or_make(const std::filesystem::path& file,
                                      const std::filesystem::path& pub) {
  if (!std::filesystem::exists(file)) {
    if (!public_keys::load(pub).empty())
      throw audit_error{"the key " + file.string() +
                        " that signed the heads of the audit chain is"
                        " gone: put it back from a backup, or move " +
                        pub.string() + " and heads.log beside it to a safe place to begin anew"};
    std::filesystem::create_directories(file.parent_path());
    chmod(file.parent_path().c_str(), 0700);
    std::filesystem::create_directories(pub.parent_path());
    auto made = make_key();
    write_file_durably(file, private_pem(made));
    write_public(pub, public_pem(made));
    return signing_key{std::move(made)};
  }
  require_private(file);
  const auto text = read_small_file(file);
  pkey key{PEM_read_bio_PrivateKey(reader_of(text).get(), nullptr, nullptr, nullptr)};
  if (!key)
    throw audit_error{"the audit's key " + file.string() +
                      " is damaged: put it back from a backup"};
  signing_key out{std::move(key)};
  const auto known = public_keys::load(pub);
  if (!known.knows(out.id())) {
    // The crash between the two files of a first start, or a key that was brought along.
    std::filesystem::create_directories(pub.parent_path());
    write_public(pub, read_small_file(pub) + public_pem(out.key_));
  }
  return out;
}

std::string signing_key::sign(std::string_view bytes) const {
  context c{EVP_MD_CTX_new()};
  std::string out(signature_bytes, '\0');
  auto size = out.size();
  // Ed25519 hashes by itself: no digest may be named.
  if (EVP_DigestSignInit(c.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(c.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1 ||
      size != out.size())
    throw audit_error{"OpenSSL cannot sign with the audit's key"};
  return out;
}

public_keys public_keys::load(const std::filesystem::path& file) {
  public_keys out;
  const auto text = read_small_file(file);
  const auto in = reader_of(text);
  while (!BIO_eof(in.get())) {
    pkey key{PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr)};
    if (!key)
      throw audit_error{"the audit's public keys " + file.string() +
                        " are damaged: put the file back from a backup"};
    auto id = id_of(key);
    out.keys_.push_back({std::move(id), std::move(key)});
  }
  return out;
}

bool public_keys::knows(std::string_view id) const {
  for (auto& k : keys_)
    if (k.id == id)
      return true;
  return false;
}

bool public_keys::verify(std::string_view id, std::string_view bytes,
                         std::string_view signature) const {
  for (auto& k : keys_) {
    if (k.id != id)
      continue;
    context c{EVP_MD_CTX_new()};
    return EVP_DigestVerifyInit(c.get(), nullptr, nullptr, nullptr, k.key.get()) == 1 &&
           EVP_DigestVerify(c.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size()) == 1;
  }
  return false;
}

} // namespace rahat::audit
