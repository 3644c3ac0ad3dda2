#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/trust/keyed_hash.hpp"
#include "runtime/trust/master_key.hpp"
#include "runtime/trust/row_sealer.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace rahat {

/// Everything that needs the master key: sealing of personal fields, and the keyed hashes by which
/// persons, payloads and one-time codes are known without being told. Each use has a key of its own
/// (`derive_key` with the label named at each function). Thread-safe; `dice` outlives it.
class sealer {
public:
  sealer(const master_key& secret, random& dice);

  /// The id under which a household is known everywhere: HMAC(tenant, external reference), cut to
  /// 128 bits and marked as a version 8 UUID. The same reference gives the same id in every upload;
  /// without the key nobody can test a guess. Label "person-id".
  uuid person_id(const uuid& tenant, std::string_view external_ref) const;

  /// What a request said, in plaintext: the same key with another hash is a misused
  /// Idempotency-Key. Label "payload".
  std::uint64_t payload_hash(std::initializer_list<std::string_view> parts) const;

  /// As `payload_hash`, whole.
  digest content_hash(std::initializer_list<std::string_view> parts) const;

  /// The 6 digits of a one-time authorisation. They derive from the request that asked for them, so
  /// that a retry gets the same code and nothing is kept. Label "code".
  std::string code_for(const uuid& request_id) const;

  /// What the batch keeps of a code; bound to the member. Label "code-hash".
  std::string code_hash(const uuid& member, std::string_view code) const;

  /// What an access token is made of. It derives from who asked for it and his Idempotency-Key, so
  /// that a retry, at any node, gets the same one and nothing is kept. Label "token".
  digest token_secret(std::string_view asker, std::string_view key) const;

  /// Label "rows/" + the upload's id.
  row_sealer rows_of(const uuid& upload) const;

  static constexpr std::size_t code_digits = 6;

private:
  key256 master_;
  random* dice_;
  keyed_hash persons_;
  keyed_hash payloads_;
  keyed_hash codes_;
  keyed_hash code_hashes_;
  keyed_hash tokens_;
};

} // namespace rahat
