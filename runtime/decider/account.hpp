#pragma once

#include "runtime/decider/context.hpp"
#include "runtime/decider/decision.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace rahat {

/// The account that `owner` keeps for a role ("outside", "budget", "reserve", "vendor") and, where
/// the owner has several of one role, a discriminator such as project id + currency.
uuid account_of(const entity_ref& owner, std::string_view role, std::string_view which = {});

/// The wallet of member `index` of a batch: the first 12 bytes are the batch's, the last 4 the
/// index in big endian, so that wallets of one batch are one range, ordered like its members.
uuid wallet_of(const uuid& batch, std::uint32_t index);

/// The same for many wallets of one batch: what they have in common is hashed once.
class wallet_maker {
public:
  explicit wallet_maker(const uuid& batch);
  uuid operator()(std::uint32_t index) const;

private:
  uuid prefix_;
};

/// The member's index, if the wallet is of that batch's range.
std::optional<std::uint32_t> wallet_index(const uuid& batch, const uuid& wallet);

/// The id of an entity that a request creates: both nodes that get the request derive the same.
uuid created_id(std::string_view kind, const uuid& request_id);

/// The transfer that sends a credit back where it came from. Never for a credit that is itself a
/// return (`is_return`): that one is kept, or two owners would play ping-pong.
transfer return_to_source(const wire::Credit& credit, const context& ctx);
bool is_return(const wire::Credit& credit);

entity_ref ref_of(const wire::Entity& entity);
void assign(wire::Entity& out, const entity_ref& entity);

} // namespace rahat
