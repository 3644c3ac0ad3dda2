#pragma once

#include "runtime/cluster/routing/router.hpp"

#include <optional>
#include <utility>

namespace rahat::cluster {

/// A client's question on its way; kept whole, so that it can go again. In one place at a time: a
/// list of the router, a callback of the node's own hosts, or the hands of a thread.
struct router::call {
  entity_ref target;
  shard_id shard = 0;
  shard_owner went_by;             // when it was last sent on its way
  std::optional<request> question; // none: a look
  reply_callback replied;
  view_callback seen;
  time_point deadline; // the client's
  time_point give_up;  // of waiting for an owner
  std::size_t bytes = 0;
  std::chrono::milliseconds again_after{0};
  time_point again_at{};

  void answer(std::variant<wire::Reply, error> a) {
    if (auto done = std::exchange(replied, nullptr))
      done(std::move(a));
  }

  void answer(std::variant<entity_view, error> a) {
    if (auto done = std::exchange(seen, nullptr))
      done(std::move(a));
  }

  void refuse(error e) {
    if (question)
      answer(std::variant<wire::Reply, error>{std::move(e)});
    else
      answer(std::variant<entity_view, error>{std::move(e)});
  }
};

} // namespace rahat::cluster
