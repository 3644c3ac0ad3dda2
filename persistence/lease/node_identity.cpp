#include "persistence/lease/node_identity.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/data_folder.hpp"

#include <openssl/rand.h>
#include <pqxx/pqxx>

namespace rahat {

namespace {

constexpr std::size_t max_application_name = 63;
constexpr int register_tries = 5;

constexpr const char* raise_view =
    "UPDATE cluster_view SET version = version + 1,"
    " changed_at = clock_timestamp() WHERE id = 1";

uuid random_uuid() {
  uuid id;
  if (RAND_bytes(id.bytes.data(), static_cast<int>(id.bytes.size())) != 1)
    throw lease_error{"the system's random source failed: no node id could be made"};
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40); // version 4: random
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

/// One attempt; 0 when another process raised the incarnation in between.
std::int64_t try_register(pqxx::connection& connection, const uuid& node, const std::string& name,
                          const lease_terms& terms) {
  pqxx::work work{connection};
  work.exec0(raise_view); // locks the view's row first: changes of membership queue up here
  const auto seen =
      work.exec_params("SELECT incarnation FROM cluster_member WHERE node_uuid = $1", node.str());
  const auto former = seen.empty() ? std::int64_t{0} : seen[0][0].as<std::int64_t>();
  const auto written = work.exec_params(
      "INSERT INTO cluster_member AS m (node_uuid, incarnation, name, status, lease_until)"
      " VALUES ($1, $2::bigint + 1, $3, 'up', clock_timestamp() + $4 * interval '1 millisecond')"
      " ON CONFLICT (node_uuid) DO UPDATE SET incarnation = excluded.incarnation,"
      "  name = excluded.name, status = 'up', lease_until = excluded.lease_until,"
      "  started_at = clock_timestamp() WHERE m.incarnation = $2"
      " RETURNING incarnation",
      node.str(), former, name, terms.ttl.count());
  if (written.empty())
    return 0;
  work.commit();
  return written[0][0].as<std::int64_t>();
}

} // namespace

std::string node_identity::application_name(std::string_view part) const {
  auto text = "rahat/" + node.str() + "/" + std::to_string(incarnation) + "/";
  text += part;
  return text.substr(0, max_application_name);
}

uuid load_node_uuid(const std::filesystem::path& data) {
  const auto file = data / "node.uuid";
  auto text = read_small_file(file);
  text.erase(text.find_last_not_of(" \n") + 1);
  if (text.empty() && !std::filesystem::exists(file)) {
    const auto fresh = random_uuid();
    write_file_durably(file, fresh.str() + "\n");
    return fresh;
  }
  const auto id = uuid::parse(text);
  if (!id || id->is_nil())
    throw lease_error{file.string() +
                      " holds no UUID: put it back from a backup, or delete it to "
                      "make this a new node"};
  return *id;
}

node_identity register_node(const std::string& service_conninfo, const uuid& node,
                            const std::string& name, const lease_terms& terms) {
  pqxx::connection connection{
      with_field(with_keepalives(service_conninfo, static_cast<int>(terms.ttl.count())),
                 "application_name", "rahat/register")};
  for (int i = 0; i < register_tries; ++i)
    if (const auto incarnation = try_register(connection, node, name, terms); incarnation > 0)
      return {node, incarnation, name};
  throw lease_error{"another process keeps registering as node " + node.str() +
                    ": two data folders hold the same node.uuid; delete it in the copy"};
}

bool declare_dead(const std::string& service_conninfo, const uuid& node, std::int64_t incarnation,
                  const lease_terms& terms) {
  pqxx::connection connection{service_conninfo};
  pqxx::work work{connection};
  work.exec0(raise_view);
  const auto changed = work.exec_params(
      "UPDATE cluster_member SET status = 'dead' WHERE node_uuid = $1 AND incarnation = $2"
      " AND status = 'up' AND NOT lease_runs(lease_until, $3 * interval '1 millisecond')",
      node.str(), incarnation, terms.ttl.count());
  if (changed.affected_rows() == 0)
    return false; // rolls the view's version back
  work.commit();
  return true;
}

} // namespace rahat
