#include "runtime/decider/id.hpp"

#include <openssl/evp.h>
#include <cstring>
#include <stdexcept>

namespace rahat {

namespace {

constexpr char digits[] = "0123456789abcdef";

int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

bool is_dash(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

/// One EVP context a thread: making one costs more than hashing a short string.
class hasher {
public:
  hasher() : ctx_(EVP_MD_CTX_new()) {
    if (ctx_ == nullptr)
      throw std::bad_alloc();
  }

  ~hasher() { EVP_MD_CTX_free(ctx_); }

  hasher(const hasher&) = delete;
  hasher& operator=(const hasher&) = delete;

  void start() { must(EVP_DigestInit_ex(ctx_, EVP_sha256(), nullptr)); }

  void add(std::string_view bytes) { must(EVP_DigestUpdate(ctx_, bytes.data(), bytes.size())); }

  digest finish() {
    digest out;
    must(EVP_DigestFinal_ex(ctx_, out.data(), nullptr));
    return out;
  }

private:
  static void must(int ok) {
    if (ok != 1)
      throw std::runtime_error("SHA-256 failed");
  }

  EVP_MD_CTX* ctx_;
};

hasher& this_thread_hasher() {
  thread_local hasher instance;
  return instance;
}

} // namespace

std::string uuid::str() const {
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      out += '-';
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

uuid uuid::from_raw(std::string_view raw) {
  uuid id;
  if (raw.size() == id.bytes.size())
    std::memcpy(id.bytes.data(), raw.data(), raw.size());
  return id;
}

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() != 36)
    return std::nullopt;
  uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (is_dash(i)) {
      if (text[i++] != '-')
        return std::nullopt;
      continue;
    }
    auto high = nibble(text[i]);
    auto low = nibble(text[i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    id.bytes[at++] = static_cast<std::uint8_t>(high << 4 | low);
    i += 2;
  }
  return id;
}

digest hash_parts(std::initializer_list<std::string_view> parts) {
  auto& h = this_thread_hasher();
  h.start();
  for (auto part : parts) {
    std::array<char, 8> length;
    for (std::size_t i = 0; i < length.size(); ++i)
      length[i] = static_cast<char>(static_cast<std::uint64_t>(part.size()) >> (56 - 8 * i));
    h.add({length.data(), length.size()});
    h.add(part);
  }
  return h.finish();
}

uuid derive_id(std::initializer_list<std::string_view> parts) {
  auto hash = hash_parts(parts);
  uuid id;
  std::memcpy(id.bytes.data(), hash.data(), id.bytes.size());
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x80); // version 8
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80); // variant of RFC 9562
  return id;
}

digest sha256(std::string_view bytes) {
  auto& h = this_thread_hasher();
  h.start();
  h.add(bytes);
  return h.finish();
}

std::string hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

shard_id shard_of(const entity_ref& entity) {
  auto hash = hash_parts({"shard", entity.kind, entity.id.raw()});
  return static_cast<shard_id>((hash[0] << 8 | hash[1]) % shard_count);
}

} // namespace rahat

std::size_t std::hash<rahat::uuid>::operator()(const rahat::uuid& id) const noexcept {
  std::size_t out;
  std::memcpy(&out, id.bytes.data() + 8, sizeof(out)); // bytes 6 and 8 carry fixed bits; 9.. do not
  return out;
}

std::size_t std::hash<rahat::entity_ref>::operator()(const rahat::entity_ref& e) const noexcept {
  return std::hash<rahat::uuid>{}(e.id) ^ (std::hash<std::string>{}(e.kind) << 1);
}
