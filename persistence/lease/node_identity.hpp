#pragma once

#include "persistence/lease/lease_state.hpp"
#include "runtime/ports/membership_store.hpp"

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

/// Registers a new incarnation of this node, whose lease runs from now for ttl: `joining`, or `up`
/// at once if it has no address and so is alone. `who.least_incarnation` is raised above the one
/// that `<data>/incarnation` remembers, and the new one is on the disk there before this returns: a
/// database that was restored must not give out a pair (node, incarnation) twice.
///
/// Throws lease_error with what to do when the cluster refuses it (another master key, a build too
/// old for its feature level, another length of lease, a node that is alone) or when the file is
/// damaged, embedded_error when it cannot be written, and pqxx's errors. Protocol:
/// docs/protocols/membership.md.
node_identity register_node(const std::string& service_conninfo, const std::filesystem::path& data,
                            enrolment who, const lease_terms& terms = {});

/// The same without a data folder, for tools and tests that have none.
node_identity register_node(const std::string& service_conninfo, const enrolment& who,
                            const lease_terms& terms = {});

/// The same for a node that is alone and says nothing but its name.
node_identity register_node(const std::string& service_conninfo, const uuid& node,
                            const std::string& name, const lease_terms& terms = {});

} // namespace rahat
