#pragma once

#include "persistence/lease/lease_state.hpp"
#include "runtime/decider/id.hpp"

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rahat {

/// The node cannot say or register who it is, or may not take what it asks for. The message is for
/// the operator.
class lease_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Who writes: a node and the count of its starts. Nothing else names a node: addresses change.
struct node_identity {
  uuid node;
  std::int64_t incarnation = 0;
  std::string name; // for people

  /// The application_name of every connection of this incarnation: "rahat/<node>/<incarnation>/
  /// <part>". Postgres keeps 63 bytes, so that `part` is cut to what is left (at least 8 bytes).
  std::string application_name(std::string_view part) const;
};

/// The node's id from `<data>/node.uuid`; made from the system's random source at the first start.
/// Throws lease_error when the file holds something else.
uuid load_node_uuid(const std::filesystem::path& data);

/// Writes a new incarnation of this node into the member row by compare-and-swap and raises the
/// view's version. The lease runs from now for ttl. Throws lease_error and pqxx's errors.
node_identity register_node(const std::string& service_conninfo, const uuid& node,
                            const std::string& name, const lease_terms& terms = {});

/// Writes Dead for an incarnation whose lease has lapsed, by compare-and-swap, and raises the
/// view's version. False when its lease runs, or it is not `up`, or it has a later incarnation.
bool declare_dead(const std::string& service_conninfo, const uuid& node, std::int64_t incarnation,
                  const lease_terms& terms = {});

} // namespace rahat
