#include "runtime/trust/keyed_hash.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <array>
#include <new>
#include <stdexcept>

namespace rahat {

namespace {

constexpr std::size_t block_size = 64; // of SHA-256

void must(int ok) {
  if (ok != 1)
    throw std::runtime_error("HMAC-SHA-256 failed");
}

class hash_context {
public:
  hash_context() : ctx_(EVP_MD_CTX_new()) {
    if (ctx_ == nullptr)
      throw std::bad_alloc();
  }
  ~hash_context() { EVP_MD_CTX_free(ctx_); }
  hash_context(const hash_context&) = delete;
  hash_context& operator=(const hash_context&) = delete;

  EVP_MD_CTX* get() const { return ctx_; }

private:
  EVP_MD_CTX* ctx_;
};

void start(EVP_MD_CTX* ctx, const key256& key, std::uint8_t pad) {
  std::array<std::uint8_t, block_size> block;
  block.fill(pad);
  for (std::size_t i = 0; i < key256::size; ++i)
    block[i] ^= key.data()[i];
  must(EVP_DigestInit_ex(ctx, EVP_sha256(), nullptr));
  must(EVP_DigestUpdate(ctx, block.data(), block.size()));
  OPENSSL_cleanse(block.data(), block.size());
}

} // namespace

struct keyed_hash::state {
  explicit state(const key256& key) {
    start(inner.get(), key, 0x36);
    start(outer.get(), key, 0x5c);
  }

  hash_context inner;
  hash_context outer;
};

keyed_hash::keyed_hash(const key256& key) : state_(std::make_unique<state>(key)) {}
keyed_hash::~keyed_hash() = default;
keyed_hash::keyed_hash(keyed_hash&&) noexcept = default;
keyed_hash& keyed_hash::operator=(keyed_hash&&) noexcept = default;

digest keyed_hash::of(std::initializer_list<std::string_view> parts) const {
  thread_local hash_context work;
  auto* ctx = work.get();
  must(EVP_MD_CTX_copy_ex(ctx, state_->inner.get()));
  for (auto part : parts) {
    std::array<std::uint8_t, 8> length;
    for (std::size_t i = 0; i < length.size(); ++i)
      length[i] =
          static_cast<std::uint8_t>(static_cast<std::uint64_t>(part.size()) >> (56 - 8 * i));
    must(EVP_DigestUpdate(ctx, length.data(), length.size()));
    must(EVP_DigestUpdate(ctx, part.data(), part.size()));
  }
  digest out;
  must(EVP_DigestFinal_ex(ctx, out.data(), nullptr));
  must(EVP_MD_CTX_copy_ex(ctx, state_->outer.get()));
  must(EVP_DigestUpdate(ctx, out.data(), out.size()));
  must(EVP_DigestFinal_ex(ctx, out.data(), nullptr));
  return out;
}

} // namespace rahat
