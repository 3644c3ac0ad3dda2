#include "runtime/decider/account.hpp"

#include <algorithm>

namespace rahat {

namespace {

constexpr std::size_t wallet_prefix_bytes = 12;
constexpr std::string_view return_why = "return";

uuid wallet_prefix(const uuid& batch) {
  return derive_id({"wallets", batch.raw()});
}

} // namespace

uuid account_of(const entity_ref& owner, std::string_view role, std::string_view which) {
  return derive_id({"account", owner.kind, owner.id.raw(), role, which});
}

wallet_maker::wallet_maker(const uuid& batch) : prefix_(wallet_prefix(batch)) {}

uuid wallet_of(const uuid& batch, std::uint32_t index) {
  return wallet_maker(batch)(index);
}

uuid wallet_maker::operator()(std::uint32_t index) const {
  auto wallet = prefix_;
  for (std::size_t i = 0; i < 4; ++i)
    wallet.bytes[wallet_prefix_bytes + i] = static_cast<std::uint8_t>(index >> (24 - 8 * i));
  return wallet;
}

std::optional<std::uint32_t> wallet_index(const uuid& batch, const uuid& wallet) {
  auto prefix = wallet_prefix(batch);
  if (!std::equal(prefix.bytes.begin(), prefix.bytes.begin() + wallet_prefix_bytes,
                  wallet.bytes.begin()))
    return std::nullopt;
  std::uint32_t index = 0;
  for (std::size_t i = wallet_prefix_bytes; i < wallet.bytes.size(); ++i)
    index = index << 8 | wallet.bytes[i];
  return index;
}

uuid created_id(std::string_view kind, const uuid& request_id) {
  return derive_id({"entity", kind, request_id.raw()});
}

transfer return_to_source(const wire::Credit& credit, const context& ctx) {
  must_hold(!is_return(credit), "a returned credit is never returned again");
  transfer back;
  back.purpose = purpose_of(ctx.self, return_why, credit.purpose());
  back.debit = uuid::from_raw(credit.credit_account());
  back.credit = uuid::from_raw(credit.debit_account());
  back.amount_minor = credit.amount_minor();
  back.currency = credit.currency();
  back.credit_owner = ref_of(credit.from());
  back.why = return_why;
  back.reference = credit.reference();
  return back;
}

bool is_return(const wire::Credit& credit) {
  return credit.why() == return_why;
}

entity_ref ref_of(const wire::Entity& entity) {
  return {entity.kind(), uuid::from_raw(entity.id())};
}

void assign(wire::Entity& out, const entity_ref& entity) {
  out.set_kind(entity.kind);
  out.set_id(entity.id.raw());
}

} // namespace rahat
