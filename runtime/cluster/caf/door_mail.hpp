#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace rahat::cluster {

/// What one door says to another. `number` is chosen by the side that dialled.
struct door_mail {
  enum kind : std::uint8_t { open, accepted, bytes, close };
  std::uint64_t number = 0;
  std::uint8_t what = bytes;
  std::vector<std::string> contents; // of `bytes`: messages in their order
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, door_mail& m) {
  return f(caf::meta::type_name("door_mail"), m.number, m.what, m.contents);
}

/// What the node asks of its own door; never leaves the process.
struct door_order {
  enum kind { dial, forget, post, tidy, leave } what = leave;
  std::string host;
  std::uint16_t port = 0;
  std::uint64_t channel = 0;
};

} // namespace rahat::cluster

CAF_BEGIN_TYPE_ID_BLOCK(rahat_channels, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(rahat_channels, (rahat::cluster::door_mail))
CAF_END_TYPE_ID_BLOCK(rahat_channels)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rahat::cluster::door_order)
