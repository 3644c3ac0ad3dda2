#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rahat {

/// An event of a committed decision, on its way to the live hub. Without `view` when the document
/// of that moment did not travel with it.
struct live_event {
  entity_ref entity;
  std::uint64_t seq = 0;
  shard_id shard = 0;
  std::uint64_t position = 0;
  std::string type;
  std::int64_t at_us = 0;
  uuid project;
  std::shared_ptr<const std::string> view;
};

/// What somebody on this node listens to.
struct followed_topics {
  bool feed = false; // everything
  std::vector<entity_ref> entities;
};

/// The listeners of this node, as those see them who bring events of other nodes. Thread-safe,
/// nothing blocks.
class live_listeners {
public:
  virtual ~live_listeners() = default;

  /// Rises with each change of `topics`. Cheap.
  virtual std::uint64_t topics_version() const = 0;

  /// Beyond `most` entities: the feed, and none of them.
  virtual followed_topics topics(std::size_t most) const = 0;

  /// Something was committed, here or elsewhere. May come more than once.
  virtual void publish(const live_event& event) = 0;

  /// Events of these may have been missed: the journal is read for those that somebody follows.
  virtual void missed(const std::vector<shard_id>& shards) = 0;
  virtual void missed(const std::vector<entity_ref>& entities) = 0;
};

} // namespace rahat
