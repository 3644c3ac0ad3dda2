#include "runtime/cluster/overrides/overrides.hpp"
#include "runtime/ports/random.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/node_id.hpp>
#include <mutex>
#include <stdexcept>

namespace {

using host_bytes = caf::node_id::default_data::host_id_type;

struct identity {
  host_bytes host{};
  std::uint32_t process = 0;
};

std::mutex guard;
std::optional<identity> ours; // guarded by it

std::uint32_t random_process() {
  rahat::system_random dice;
  std::uint32_t n = 0;
  while (n == 0) // which CAF takes for no id at all
    dice.fill(&n, sizeof n);
  return n;
}

caf::node_id id_of(const identity& who) {
  return caf::make_node_id(who.process, who.host);
}

/// For a process that speaks to no other node: unlike every other one.
identity nobody() {
  identity out{{}, random_process()};
  rahat::system_random dice;
  dice.fill(out.host.data(), out.host.size());
  return out;
}

} // namespace

/// Takes the place of CAF's own (0.17.6): libcaf_core calls it through its procedure linkage table.
caf::node_id caf::node_id::default_data::local(const actor_system_config&) {
  std::lock_guard lock{guard};
  return id_of(ours ? *ours : nobody());
}

namespace rahat {

void set_node_identity(const uuid& node, std::uint64_t incarnation) {
  if (node.is_nil())
    throw std::logic_error("the nil id is no node");
  identity made{{}, random_process()};
  auto at = std::copy(node.bytes.begin(), node.bytes.end(), made.host.begin());
  for (int shift = 24; shift >= 0; shift -= 8)
    *at++ = static_cast<std::uint8_t>(incarnation >> shift);
  std::lock_guard lock{guard};
  ours = made;
}

bool node_id_is_ours(caf::actor_system& system) {
  std::lock_guard lock{guard};
  return ours && system.node() == id_of(*ours);
}

std::optional<std::string> overrides_fault(caf::actor_system& system) {
  if (!node_id_is_ours(system))
    return "CAF's node id is not this node's: the program was linked without rahat_caf_overrides, "
           "or its identity was set too late";
  if (!tls_calls_are_guarded())
    return "CAF's calls of OpenSSL are not guarded, so that the end of one link would end others: "
           "link the program with rahat_caf_overrides and with OpenSSL as a shared library";
  if (caf::get_or(system.config(), "middleman.enable-automatic-connections", false))
    return "CAF's automatic connections are on: they would open a plain port that proves nobody; "
           "take middleman.enable-automatic-connections out of CAF's configuration";
  return std::nullopt;
}

} // namespace rahat
