#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <string>

namespace rahat {

struct principal {
  std::string user;
  std::string role;
};

/// Everything a decider may know beyond its own state. Deciders have no clock, no random numbers
/// and no database: what they need of those is here.
struct context {
  entity_ref self;
  principal who;           // the client's user; role "entity" for messages, timers and own work
  entity_ref source;       // who told; empty kind for clients
  std::int64_t now_us = 0; // microseconds since 1970, of the host's clock port
  uuid request_id;         // derived from the client's key; nil for messages and own work
  const wire::Feed* feed = nullptr; // the rows that `feed_for` asked for; only in `proceed`
  std::int32_t level = 1; // the feature level of events and messages that may be written now
};

/// Rows that a decider needs before it can go on. All of them are immutable once committed.
struct feed_request {
  enum class what {
    upload_duplicates, // rows of the upload whose person stands in an earlier row (id = upload)
    upload_rows,       // staged rows with ordinal in [first, last] (id = upload)
    line_duplicates,   // lines whose person has an earlier line (id = disbursement)
  };
  what kind = what::upload_rows;
  uuid id;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t limit = 10'000; // rows returned at most; Feed.total counts all

  bool operator==(const feed_request&) const = default;
};

} // namespace rahat
