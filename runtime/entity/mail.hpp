#pragma once

#include "runtime/ports/entities.hpp"
#include "runtime/ports/store.hpp"

#include <functional>
#include <optional>
#include <variant>

namespace rahat {

// What reaches an entity's host. `request`, `look` and `told` hold an inbox credit until decided.

struct mail_request {
  request ask;
  entities::reply_callback done;
};

struct mail_look {
  std::chrono::steady_clock::time_point deadline;
  entities::view_callback done;
};

struct mail_told {
  entity_ref source;
  std::uint64_t n = 0;
  std::string body; // serialised wire::Told
};

/// The target has applied our messages up to n.
struct mail_acknowledged {
  entity_ref target;
  std::uint64_t n = 0;
};

struct mail_tick {}; // a time that the host asked to be woken at has come
struct mail_work {}; // go on with the entity's own work
struct mail_wake {}; // be in memory; nothing else

/// Outcomes of commits wait in the host's commit_inbox.
struct mail_commits {};

struct mail_loaded {
  outcome<loaded_entity> what;
};

struct mail_feed {
  feed_request asked;
  outcome<wire::Feed> rows;
};

struct mail_found {
  uuid request;
  outcome<std::optional<request_row>> row;
};

/// The shard is no longer ours, or the node stops: answer everything as retryable and end.
struct mail_stop {
  std::string why;
};

using mail = std::variant<mail_request, mail_look, mail_told, mail_acknowledged, mail_tick,
                          mail_work, mail_wake, mail_commits, mail_loaded, mail_feed, mail_found,
                          mail_stop>;

/// Puts mail into a host's mailbox, from any thread.
using poster = std::function<void(mail)>;

} // namespace rahat
