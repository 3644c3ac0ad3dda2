#pragma once

#include "runtime/decider/context.hpp"
#include "runtime/decider/error.hpp"
#include "runtime/wire/wire.pb.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rahat {

/// The versions that a client's precondition lists (RFC 9110 13.1).
struct version_list {
  version_list() = default; // none: nothing is in it
  version_list(std::uint64_t one) : versions{one} {}

  /// `version` 0 stands for a thing that is not there: it is in no list.
  bool holds(std::uint64_t version) const;

  bool any = false; // "*": whichever there is
  std::vector<std::uint64_t> versions;
};

/// A client's command on its way to an entity.
struct request {
  entity_ref target;
  std::string command; // serialised Command of the target's kind
  uuid id; // request_id_of(...); nil: a question, which is not remembered and must change nothing
  std::uint64_t payload_hash = 0; // keyed, over the plaintext
  principal who;
  std::string traceparent;
  std::chrono::steady_clock::time_point deadline;
  std::optional<version_list> if_match;      // refused unless the entity's version is in it
  std::optional<version_list> if_none_match; // refused if it is
};

/// request id = hash(tenant, user, method, concrete path, key). The tenant is nil until
/// organisations exist.
uuid request_id_of(std::string_view user, std::string_view method, std::string_view path,
                   std::string_view key);

/// What a client sees of an entity.
struct entity_view {
  std::shared_ptr<const std::string> json; // shared with the host's cache
  std::uint64_t version = 0;
  shard_id shard = 0;
  std::uint64_t position = 0;
};

/// The way to every entity, wherever it lives. Thread-safe; callbacks come once each, from any
/// thread, and must not block.
class entities {
public:
  virtual ~entities() = default;

  using reply_callback = std::function<void(std::variant<wire::Reply, error>)>;
  using view_callback = std::function<void(std::variant<entity_view, error>)>;

  /// Without a credit left the callback gets errc::overloaded at once; nothing is ever dropped
  /// silently. A refusal that was committed comes as error too.
  virtual void ask(request r, reply_callback done) = 0;

  /// Reads an entity; not_found when nothing was ever committed for it, or nothing that clients
  /// see.
  virtual void look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
                    view_callback done) = 0;
};

} // namespace rahat
