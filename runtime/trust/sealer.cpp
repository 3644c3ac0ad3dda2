#include "runtime/trust/sealer.hpp"

#include <cstring>

namespace rahat {

namespace {

std::uint64_t first_64_bits(const digest& d) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < 8; ++i)
    n = n << 8 | d[i];
  return n;
}

} // namespace

sealer::sealer(const master_key& secret, random& dice)
    : master_(secret.key),
      dice_(&dice),
      persons_(derive_key(master_, "person-id")),
      payloads_(derive_key(master_, "payload")),
      codes_(derive_key(master_, "code")),
      code_hashes_(derive_key(master_, "code-hash")),
      tokens_(derive_key(master_, "token")) {}

uuid sealer::person_id(const uuid& tenant, std::string_view external_ref) const {
  auto hash = persons_.of({{reinterpret_cast<const char*>(tenant.bytes.data()), 16}, external_ref});
  uuid id;
  std::memcpy(id.bytes.data(), hash.data(), id.bytes.size());
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x80); // version 8
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80); // variant of RFC 9562
  return id;
}

std::uint64_t sealer::payload_hash(std::initializer_list<std::string_view> parts) const {
  return first_64_bits(payloads_.of(parts));
}

digest sealer::content_hash(std::initializer_list<std::string_view> parts) const {
  return payloads_.of(parts);
}

std::string sealer::code_for(const uuid& request_id) const {
  auto n = first_64_bits(codes_.of({request_id.raw()})); // bias of the remainder: below 1e-13
  std::string code(code_digits, '0');
  for (auto digit = code.rbegin(); digit != code.rend(); ++digit, n /= 10)
    *digit = static_cast<char>('0' + n % 10);
  return code;
}

std::string sealer::code_hash(const uuid& member, std::string_view code) const {
  return std::string(view(code_hashes_.of({member.raw(), code})));
}

digest sealer::token_secret(std::string_view asker, std::string_view key) const {
  return tokens_.of({asker, key});
}

row_sealer sealer::rows_of(const uuid& upload) const {
  return {derive_key(master_, "rows/" + upload.raw()), upload, *dice_};
}

} // namespace rahat
