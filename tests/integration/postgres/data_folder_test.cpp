#include "persistence/embedded/data_folder.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/embedded/errors.hpp"
#include "persistence/lease/node_identity.hpp"
#include "tests/support/pg_fixture.hpp"

#include <gtest/gtest.h>
#include <fstream>

namespace {

using namespace rahat;

TEST(data_folder, secrets_are_made_once_and_kept) {
  test::scratch_folder scratch;
  std::string first;
  {
    data_folder folder{scratch.path() / "data"};
    EXPECT_FALSE(folder.has_secret("one"));
    first = folder.secret("one");
    EXPECT_EQ(first.size(), 64u);
    EXPECT_NE(first, folder.secret("two"));
  }
  data_folder again{scratch.path() / "data"};
  EXPECT_EQ(again.secret("one"), first);
}

TEST(data_folder, an_emptied_secret_is_not_replaced) {
  test::scratch_folder scratch;
  data_folder folder{scratch.path() / "data"};
  folder.secret("one");
  std::ofstream{scratch.path() / "data" / "secrets" / "one", std::ios::trunc};
  EXPECT_THROW(folder.secret("one"), embedded_error);
}

TEST(data_folder, the_node_keeps_its_uuid_and_refuses_a_broken_file) {
  test::scratch_folder scratch;
  data_folder folder{scratch.path() / "data"};
  const auto id = load_node_uuid(folder.path());
  EXPECT_FALSE(id.is_nil());
  EXPECT_EQ(load_node_uuid(folder.path()), id);
  std::ofstream{folder.path() / "node.uuid"} << "not a uuid\n";
  EXPECT_THROW(load_node_uuid(folder.path()), lease_error);
}

TEST(conninfo, both_forms_are_read_and_quoting_survives) {
  const auto fields = parse_conninfo("postgresql://ann:p%27w%5C@h:5433/d?application_name=x");
  EXPECT_EQ(fields.at("password"), "p'w\\");
  EXPECT_EQ(parse_conninfo(conninfo(fields)), fields);
  EXPECT_EQ(parse_conninfo(with_field("host=a dbname=b", "dbname", "c")).at("dbname"), "c");
}

TEST(conninfo, a_malformed_one_is_refused_without_repeating_it) {
  try {
    parse_conninfo("postgresql://user:hunter2@[oops");
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string{error.what()}.find("hunter2"), std::string::npos);
  }
}

} // namespace
