#include "runtime/trust/row_sealer.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>

namespace rahat {

namespace {

constexpr char version = 1;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t pool_size = 4096; // random bytes fetched at once
constexpr std::size_t aad_size = 1 + 16 + 4;

static_assert(row_sealer::overhead == 1 + nonce_size + tag_size);

using aad = std::array<std::uint8_t, aad_size>;

void must(int ok) {
  if (ok != 1)
    throw std::runtime_error("AES-256-GCM failed");
}

const std::uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

class cipher {
public:
  explicit cipher(bool encrypts) : ctx_(EVP_CIPHER_CTX_new()) {
    if (ctx_ == nullptr)
      throw std::bad_alloc();
    must(EVP_CipherInit_ex(ctx_, EVP_aes_256_gcm(), nullptr, nullptr, nullptr, encrypts ? 1 : 0));
  }
  ~cipher() { EVP_CIPHER_CTX_free(ctx_); }
  cipher(const cipher&) = delete;
  cipher& operator=(const cipher&) = delete;

  /// A nullptr keeps the key of the call before.
  void key(const std::uint8_t* key) {
    must(EVP_CipherInit_ex(ctx_, nullptr, nullptr, key, nullptr, -1));
  }

  std::string encrypt(const std::uint8_t* nonce, const aad& bound, std::string_view plain) {
    std::string out(1 + nonce_size + plain.size() + tag_size, '\0');
    auto* at = reinterpret_cast<std::uint8_t*>(out.data());
    out[0] = version;
    std::memcpy(at + 1, nonce, nonce_size);
    at += 1 + nonce_size;
    int n = 0;
    must(EVP_EncryptInit_ex(ctx_, nullptr, nullptr, nullptr, nonce));
    must(EVP_EncryptUpdate(ctx_, nullptr, &n, bound.data(), static_cast<int>(bound.size())));
    if (!plain.empty())
      must(EVP_EncryptUpdate(ctx_, at, &n, bytes(plain), static_cast<int>(plain.size())));
    at += plain.size();
    must(EVP_EncryptFinal_ex(ctx_, at, &n));
    must(EVP_CIPHER_CTX_ctrl(ctx_, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), at));
    return out;
  }

  /// False when the tag does not fit; `out` then means nothing. `box` has at least `overhead`
  /// bytes.
  bool decrypt(std::string_view box, const aad& bound, std::string& out) {
    auto* nonce = bytes(box) + 1;
    auto secret = box.substr(1 + nonce_size, box.size() - row_sealer::overhead);
    std::array<std::uint8_t, tag_size> tag;
    std::memcpy(tag.data(), box.data() + box.size() - tag_size, tag_size);
    out.assign(secret.size(), '\0');
    auto* to = reinterpret_cast<std::uint8_t*>(out.data());
    int n = 0;
    must(EVP_DecryptInit_ex(ctx_, nullptr, nullptr, nullptr, nonce));
    must(EVP_DecryptUpdate(ctx_, nullptr, &n, bound.data(), static_cast<int>(bound.size())));
    if (!secret.empty())
      must(EVP_DecryptUpdate(ctx_, to, &n, bytes(secret), static_cast<int>(secret.size())));
    must(EVP_CIPHER_CTX_ctrl(ctx_, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag.data()));
    return EVP_DecryptFinal_ex(ctx_, to + secret.size(), &n) == 1;
  }

private:
  EVP_CIPHER_CTX* ctx_;
};

} // namespace

struct row_sealer::state {
  state(const key256& upload_key, const uuid& upload, random& source) : dice(&source) {
    wrap.key(upload_key.data());
    unwrap.key(upload_key.data());
    bound[0] = static_cast<std::uint8_t>(version);
    std::memcpy(bound.data() + 1, upload.bytes.data(), upload.bytes.size());
  }

  ~state() { OPENSSL_cleanse(pool.data(), pool.size()); }

  const aad& bound_to(std::uint32_t row) {
    for (std::size_t i = 0; i < 4; ++i)
      bound[17 + i] = static_cast<std::uint8_t>(row >> (24 - 8 * i));
    return bound;
  }

  /// `n` unpredictable bytes, used once.
  const std::uint8_t* fresh(std::size_t n) {
    if (used + n > pool.size()) {
      dice->fill(pool.data(), pool.size());
      used = 0;
    }
    used += n;
    return pool.data() + used - n;
  }

  random* dice;
  aad bound{};
  cipher wrap{true};
  cipher unwrap{false};
  cipher lock{true};
  cipher unlock{false};
  std::array<std::uint8_t, pool_size> pool{};
  std::size_t used = pool_size;
};

row_sealer::row_sealer(const key256& upload_key, const uuid& upload, random& dice)
    : state_(std::make_unique<state>(upload_key, upload, dice)) {}
row_sealer::~row_sealer() = default;
row_sealer::row_sealer(row_sealer&&) noexcept = default;
row_sealer& row_sealer::operator=(row_sealer&&) noexcept = default;

sealed_row row_sealer::seal(std::uint32_t row, std::string_view plaintext) {
  auto& s = *state_;
  auto& bound = s.bound_to(row);
  auto* secrets = s.fresh(key256::size + 2 * nonce_size);
  s.lock.key(secrets);
  sealed_row out;
  out.sealed = s.lock.encrypt(secrets + key256::size, bound, plaintext);
  out.wrapped_key = s.wrap.encrypt(secrets + key256::size + nonce_size, bound,
                                   {reinterpret_cast<const char*>(secrets), key256::size});
  return out;
}

opened_row row_sealer::open(std::uint32_t row, std::string_view sealed,
                            std::string_view wrapped_key) {
  if (wrapped_key.empty())
    return open_failure::erased;
  if (sealed.empty())
    return open_failure::damaged;
  if (sealed.front() != version || wrapped_key.front() != version)
    return open_failure::unknown_version;
  if (sealed.size() < overhead || wrapped_key.size() != wrapped_size)
    return open_failure::damaged;
  auto& s = *state_;
  auto& bound = s.bound_to(row);
  std::string key;
  std::string plain;
  if (!s.unwrap.decrypt(wrapped_key, bound, key))
    return open_failure::damaged;
  s.unlock.key(reinterpret_cast<const std::uint8_t*>(key.data()));
  OPENSSL_cleanse(key.data(), key.size());
  if (!s.unlock.decrypt(sealed, bound, plain))
    return open_failure::damaged;
  return plain;
}

} // namespace rahat
