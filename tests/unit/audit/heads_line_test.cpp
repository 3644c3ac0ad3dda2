#include "persistence/audit/heads_file.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/audit/options.hpp"
#include "persistence/audit/signing_key.hpp"
#include "tests/support/scratch_folder.hpp"

#include <gtest/gtest.h>
#include <cstdlib>
#include <fstream>

namespace {

using namespace rahat;
using namespace rahat::audit;
namespace fs = std::filesystem;

heads_line some_line() {
  heads_line line;
  line.at_us = 1'763'633'532'000'000;
  line.node = derive_id({"node"}).str();
  line.heads = {{0, 1, sha256("a")}, {255, 18'446'744'073'709'551'615ull, sha256("b")}};
  line.previous = sha256("before");
  line.key = "0123456789abcdef";
  return line;
}

std::string written(const heads_line& line) {
  return with_signature(signed_part(line), std::string(64, 's'));
}

class heads_files : public testing::Test {
protected:
  std::vector<std::string> read() {
    std::vector<std::string> out;
    heads_reader in{file};
    for (std::string line; in.next(line);)
      out.push_back(line);
    return out;
  }

  test::scratch_folder scratch;
  const fs::path& folder = scratch.path();
  const fs::path file = folder / "heads.log";
};

TEST(heads_lines, are_read_as_they_were_written) {
  const auto line = some_line();
  const auto text = written(line);
  const auto read = parse_heads_line(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at_us, line.at_us);
  EXPECT_EQ(read->node, line.node);
  ASSERT_EQ(read->heads.size(), 2u);
  EXPECT_EQ(read->heads[1].shard, 255);
  EXPECT_EQ(read->heads[1].position, line.heads[1].position);
  EXPECT_EQ(read->heads[1].hash, line.heads[1].hash);
  EXPECT_EQ(read->previous, line.previous);
  EXPECT_EQ(read->key, line.key);
  EXPECT_EQ(read->signature, std::string(64, 's'));
  EXPECT_EQ(read->covered, signed_part(line));
}

TEST(heads_lines, nothing_else_is_read) {
  const auto good = written(some_line());
  ASSERT_TRUE(parse_heads_line(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(parse_heads_line(good.substr(0, cut))) << cut;
  EXPECT_FALSE(parse_heads_line(good + " "));
  EXPECT_FALSE(parse_heads_line(" " + good));
  auto upper = good; // one text a line: hex is lower case
  upper[good.find("\"previous\":\"") + 12] = 'A';
  EXPECT_FALSE(parse_heads_line(upper));
  auto no_shard = some_line();
  no_shard.heads[0].shard = shard_count;
  EXPECT_FALSE(parse_heads_line(written(no_shard)));
}

TEST(heads_lines, of_all_shards_are_below_the_limit) {
  auto line = some_line();
  line.heads.assign(shard_count, line.heads[1]);
  EXPECT_LT(written(line).size(), audit_limits::heads_line_bytes);
  EXPECT_EQ(parse_heads_line(written(line))->heads.size(), shard_count);
}

TEST_F(heads_files, grow_line_by_line) {
  EXPECT_EQ(last_line_hash(file), digest{});
  append_heads_line(file, "one");
  EXPECT_EQ(last_line_hash(file), sha256("one"));
  append_heads_line(file, "two");
  EXPECT_EQ(last_line_hash(file), sha256("two"));
  EXPECT_EQ(read(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(heads_files, end_a_torn_line_before_the_next) {
  append_heads_line(file, "one");
  std::ofstream{file, std::ios::app} << "to";
  EXPECT_EQ(read(), (std::vector<std::string>{"one"})); // perhaps it is being written just now
  EXPECT_EQ(last_line_hash(file), sha256("to"));
  append_heads_line(file, "three");
  EXPECT_EQ(read(), (std::vector<std::string>{"one", "to", "three"}));
}

TEST_F(heads_files, are_read_up_to_where_they_ended_at_first) {
  append_heads_line(file, "one");
  heads_reader in{file};
  append_heads_line(file, "two");
  std::string line;
  EXPECT_TRUE(in.next(line));
  EXPECT_EQ(line, "one");
  EXPECT_FALSE(in.next(line));
}

TEST_F(heads_files, stand_in_a_folder_that_only_its_owner_enters) {
  const auto audit = folder / "audit";
  std::filesystem::create_directories(audit);
  std::filesystem::permissions(audit, std::filesystem::perms{0755}); // as it once was made
  make_heads_folder(audit);
  EXPECT_EQ(std::filesystem::status(audit).permissions(), std::filesystem::perms{0700});
  append_heads_line(folder / "file", "one");
  EXPECT_THROW(make_heads_folder(folder / "file" / "audit"), audit_error);
}

TEST_F(heads_files, that_are_missing_are_empty) {
  EXPECT_TRUE(read().empty());
}

TEST_F(heads_files, that_cannot_be_written_are_an_error) {
  EXPECT_THROW(append_heads_line(folder / "no" / "heads.log", "one"), audit_error);
}

TEST_F(heads_files, key_signs_and_the_public_file_verifies) {
  const auto pub = folder / "audit" / "heads.pub";
  const auto key = signing_key::load_or_make(folder / "secrets" / "key.pem", pub);
  const auto again = signing_key::load_or_make(folder / "secrets" / "key.pem", pub);
  EXPECT_EQ(key.id(), again.id());
  const auto signature = again.sign("text");
  const auto known = public_keys::load(pub);
  EXPECT_TRUE(known.verify(key.id(), "text", signature));
  EXPECT_FALSE(known.verify(key.id(), "texts", signature));
  EXPECT_FALSE(known.verify("0000000000000000", "text", signature));
  EXPECT_FALSE(known.verify(key.id(), "text", "short"));
}

TEST_F(heads_files, a_key_that_was_brought_along_is_added_to_the_public_ones) {
  const auto pub = folder / "audit" / "heads.pub";
  const auto first = signing_key::load_or_make(folder / "a.pem", pub);
  const auto second = signing_key::load_or_make(folder / "b.pem", folder / "other.pub");
  EXPECT_FALSE(public_keys::load(pub).knows(second.id()));
  signing_key::load_or_make(folder / "b.pem", pub);
  EXPECT_TRUE(public_keys::load(pub).knows(first.id()));
  EXPECT_TRUE(public_keys::load(pub).knows(second.id()));
}

TEST_F(heads_files, damaged_keys_are_an_error) {
  std::ofstream{folder / "key.pem"} << "nonsense";
  fs::permissions(folder / "key.pem", fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THROW(signing_key::load_or_make(folder / "key.pem", folder / "heads.pub"), audit_error);
  std::ofstream{folder / "heads.pub"} << "nonsense";
  EXPECT_THROW(public_keys::load(folder / "heads.pub"), audit_error);
}

} // namespace
