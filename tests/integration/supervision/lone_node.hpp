#pragma once

#include "config/config.hpp"
#include "tests/support/pg_fixture.hpp"

#include <filesystem>

namespace rahat::test {

/// The settings of a node alone over that database, on ports that are free.
inline config lone_node(const std::filesystem::path& data, const test_database& db) {
  config c;
  c.node.data_dir = data.string();
  c.node.name = "test";
  c.http.public_port = 0;
  c.http.internal_port = 0;
  c.database.url = secret{db.service};
  c.database.admin_url = secret{db.owner};
  return c;
}

} // namespace rahat::test
