#include "persistence/lease/node_identity.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/data_folder.hpp"

#include <openssl/rand.h>
#include <algorithm>
#include <charconv>
#include <pqxx/pqxx>

namespace rahat {

namespace {

constexpr std::size_t max_application_name = 63;
constexpr const char* register_sql =
    "SELECT incarnation FROM cluster_register_v1($1, $2, $3, $4, $5, $6, $7, $8, $9,"
    " $10 * interval '1 millisecond')";

uuid random_uuid() {
  uuid id;
  if (RAND_bytes(id.bytes.data(), static_cast<int>(id.bytes.size())) != 1)
    throw lease_error{"the system's random source failed: no node id could be made"};
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40); // version 4: random
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

/// What an operator does about a refusal of cluster_register_v1.
std::string advice(const std::string& sqlstate) {
  if (sqlstate == "RH010")
    return "give it the master key of the others (trust.master_key, or their master.key file)";
  if (sqlstate == "RH011")
    return "this build is too old for the cluster: install the release that the others run";
  if (sqlstate == "RH012")
    return "a node without cluster.host shares its database with nobody: set it on both, or stop "
           "the other node";
  if (sqlstate == "RH014")
    return "set the same lease.ttl_ms on every node";
  return {};
}

/// Postgres' sentence without what it adds on further lines.
std::string first_line(const std::exception& e) {
  std::string text = e.what();
  text.erase(std::min(text.find('\n'), text.size()));
  constexpr std::string_view prefix = "ERROR:  ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

/// 0 if the folder remembers none.
std::int64_t remembered_incarnation(const std::filesystem::path& file) {
  const auto text = read_small_file(file);
  if (text.empty() && !std::filesystem::exists(file))
    return 0;
  std::int64_t last = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), last);
  if (bad != std::errc{} || last < 1 || std::string_view{end} != "\n")
    throw lease_error{file.string() +
                      " holds no incarnation: put it back from a backup, or write a number above "
                      "this node's `incarnation` in the table cluster_member into it"};
  return last;
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

node_identity register_node(const std::string& service_conninfo, const enrolment& who,
                            const lease_terms& terms) {
  pqxx::connection connection{
      with_field(with_keepalives(service_conninfo, static_cast<int>(terms.ttl.count())),
                 "application_name", "rahat/register")};
  pqxx::nontransaction work{connection};
  try {
    const auto row =
        work.exec_params1(register_sql, who.node.str(), who.least_incarnation, who.name,
                          who.address, static_cast<int>(who.port), who.operators, who.build,
                          who.build_level, pqxx::binarystring{who.key_check}, terms.ttl.count());
    return {who.node, row[0].as<std::int64_t>(), who.name};
  } catch (const pqxx::sql_error& refused) {
    const auto what_to_do = advice(refused.sqlstate());
    if (what_to_do.empty())
      throw;
    throw lease_error{first_line(refused) + ": " + what_to_do};
  }
}

node_identity register_node(const std::string& service_conninfo, const std::filesystem::path& data,
                            enrolment who, const lease_terms& terms) {
  const auto file = data / "incarnation";
  who.least_incarnation = std::max(who.least_incarnation, remembered_incarnation(file) + 1);
  auto me = register_node(service_conninfo, who, terms);
  write_file_durably(file, std::to_string(me.incarnation) + "\n");
  return me;
}

node_identity register_node(const std::string& service_conninfo, const uuid& node,
                            const std::string& name, const lease_terms& terms) {
  enrolment who;
  who.node = node;
  who.name = name;
  return register_node(service_conninfo, who, terms);
}

} // namespace rahat
