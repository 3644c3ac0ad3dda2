#include "runtime/trust/node_certificate.hpp"

#include "tests/support/scratch_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace rahat;
using testing::AllOf;
using testing::HasSubstr;

namespace {

constexpr std::int64_t new_year_us = 1'767'225'600'000'000; // 2026-01-01T00:00:00Z
constexpr std::int64_t new_year_s = new_year_us / 1'000'000;
constexpr std::int64_t day_s = 86'400;
const uuid node_a = *uuid::parse("a0000000-0000-4000-8000-00000000000a");

std::string message_of(const key_pair_result& r) {
  auto* why = std::get_if<error>(&r);
  return why ? why->message : "";
}

certificate_facts facts_of(const key_pair& pair) {
  return std::get<certificate_facts>(read_certificate(pair.certificate));
}

class node_certificate : public testing::Test {
protected:
  key_pair authority(int days = authority_days, key_kind kind = key_kind::p256) {
    return std::get<key_pair>(make_authority("test authority", {days, new_year_us, kind}, dice_));
  }
  key_pair_files files(const std::string& name) const {
    return {folder_.file(name + ".pem"), folder_.file(name + ".key")};
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  system_random dice_;
  test::scratch_folder folder_;
};

TEST_F(node_certificate, of_an_authority_says_what_it_is) {
  auto facts = facts_of(authority());
  EXPECT_EQ(facts.name, "test authority");
  EXPECT_EQ(facts.issuer, "test authority");
  EXPECT_TRUE(facts.authority);
  EXPECT_EQ(facts.node, std::nullopt);
  EXPECT_EQ(facts.key, "P-256");
  EXPECT_EQ(facts.serial.size(), 32u);
  EXPECT_EQ(facts.fingerprint.size(), 64u);
  EXPECT_EQ(facts.valid_until_s, new_year_s + 3650 * day_s);
}

TEST_F(node_certificate, of_a_node_names_it_and_its_authority) {
  auto made = make_node_certificate(authority(), node_a, {.now_us = new_year_us}, dice_);
  ASSERT_TRUE(std::holds_alternative<key_pair>(made)) << message_of(made);
  auto facts = facts_of(std::get<key_pair>(made));
  EXPECT_EQ(facts.node, node_a);
  EXPECT_EQ(facts.issuer, "test authority");
  EXPECT_EQ(facts.name, "rahat node " + node_a.str());
  EXPECT_FALSE(facts.authority);
  EXPECT_EQ(facts.valid_until_s, new_year_s + 825 * day_s);
  EXPECT_LT(facts.valid_from_s, new_year_s) << "clocks of nodes differ";
}

TEST_F(node_certificate, keys_of_ed25519_sign_as_well) {
  auto root = authority(authority_days, key_kind::ed25519);
  auto made = make_node_certificate(root, node_a,
                                    {.now_us = new_year_us, .kind = key_kind::ed25519}, dice_);
  ASSERT_TRUE(std::holds_alternative<key_pair>(made)) << message_of(made);
  EXPECT_EQ(facts_of(std::get<key_pair>(made)).key, "Ed25519");
}

TEST_F(node_certificate, never_outlives_its_authority) {
  auto made = make_node_certificate(authority(100), node_a, {101, new_year_us}, dice_);
  EXPECT_THAT(message_of(made), AllOf(HasSubstr("outlive"), HasSubstr("2026-04-11")));
  EXPECT_EQ(message_of(make_node_certificate(authority(100), node_a, {100, new_year_us}, dice_)),
            "");
}

TEST_F(node_certificate, is_signed_by_authorities_only) {
  auto root = authority();
  auto node =
      std::get<key_pair>(make_node_certificate(root, node_a, {.now_us = new_year_us}, dice_));
  EXPECT_THAT(message_of(make_node_certificate(node, node_a, {1, new_year_us}, dice_)),
              HasSubstr("no authority"));
  auto other = authority();
  EXPECT_THAT(message_of(make_node_certificate({root.certificate, other.key}, node_a,
                                               {1, new_year_us}, dice_)),
              HasSubstr("does not belong"));
  EXPECT_THAT(message_of(make_node_certificate({"x", "y"}, node_a, {1, new_year_us}, dice_)),
              HasSubstr("not PEM"));
}

TEST_F(node_certificate, wrong_wishes_are_told) {
  for (int days : {-1, 0, max_certificate_days + 1})
    EXPECT_THAT(message_of(make_authority("a", {days, new_year_us}, dice_)), HasSubstr("days"));
  EXPECT_THAT(message_of(make_authority("", {1, new_year_us}, dice_)), HasSubstr("64 bytes"));
  EXPECT_THAT(message_of(make_authority(std::string(65, 'a'), {1, new_year_us}, dice_)),
              HasSubstr("64 bytes"));
  EXPECT_THAT(message_of(make_node_certificate(authority(), uuid{}, {1, new_year_us}, dice_)),
              HasSubstr("nil id"));
}

TEST_F(node_certificate, is_written_once_with_a_private_key) {
  auto first = authority();
  ASSERT_EQ(write_key_pair(first, files("ca"), false), std::nullopt);
  struct stat info {};
  ASSERT_EQ(::stat(files("ca").key.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(text_of(files("ca").certificate), first.certificate);

  auto why = write_key_pair(authority(), files("ca"), false);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, errc::already_exists);
  EXPECT_THAT(why->message, AllOf(HasSubstr("ca.pem"), HasSubstr("--force")));
  EXPECT_EQ(text_of(files("ca").key), first.key);

  auto second = authority();
  ASSERT_EQ(write_key_pair(second, files("ca"), true), std::nullopt);
  EXPECT_EQ(text_of(files("ca").key), second.key);
  ASSERT_EQ(::stat(files("ca").key.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2)
      << "no draft is left behind";
}

TEST_F(node_certificate, half_a_pair_that_is_there_stays_alone) {
  std::ofstream(files("ca").key) << "somebody's key";
  auto why = write_key_pair(authority(), files("ca"), false);
  ASSERT_TRUE(why);
  EXPECT_THAT(why->message, HasSubstr("ca.key"));
  EXPECT_EQ(text_of(files("ca").key), "somebody's key");
  EXPECT_FALSE(std::filesystem::exists(files("ca").certificate));

  std::ofstream(files("b").certificate) << "somebody's certificate";
  ASSERT_TRUE(write_key_pair(authority(), files("b"), false));
  EXPECT_EQ(text_of(files("b").certificate), "somebody's certificate");
  EXPECT_FALSE(std::filesystem::exists(files("b").key));
  EXPECT_TRUE(write_key_pair(authority(), files("no/such/folder"), false));
}

TEST_F(node_certificate, is_read_back_or_refused_with_a_reason) {
  auto pair = authority();
  ASSERT_EQ(write_key_pair(pair, files("ca"), false), std::nullopt);
  auto again = read_key_pair(files("ca"));
  ASSERT_TRUE(std::holds_alternative<key_pair>(again)) << message_of(again);
  EXPECT_EQ(std::get<key_pair>(again).key, pair.key);

  EXPECT_THAT(message_of(read_key_pair(files("none"))), HasSubstr("cannot open"));
  ASSERT_EQ(write_key_pair(authority(), files("other"), false), std::nullopt);
  EXPECT_THAT(message_of(read_key_pair({files("ca").certificate, files("other").key})),
              HasSubstr("does not belong"));
  EXPECT_THAT(message_of(read_key_pair({files("ca").key, files("ca").key})),
              HasSubstr("no certificate in"));
  ::chmod(files("ca").key.c_str(), 0640);
  EXPECT_THAT(message_of(read_key_pair(files("ca"))), HasSubstr("chmod 600"));
  std::filesystem::resize_file(files("other").certificate, 100'000);
  EXPECT_THAT(message_of(read_key_pair(files("other"))), HasSubstr("too large"));
}

TEST_F(node_certificate, a_passphrase_is_never_asked_for) {
  auto pair = authority();
  pair.key =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  ASSERT_EQ(write_key_pair(pair, files("ca"), false), std::nullopt);
  EXPECT_THAT(message_of(read_key_pair(files("ca"))), HasSubstr("passphrase"));
}

TEST_F(node_certificate, failures_leave_nothing_in_openssls_queue) {
  ERR_clear_error();
  EXPECT_TRUE(std::holds_alternative<error>(read_certificate("-----BEGIN CERTIFICATE-----\nx")));
  make_node_certificate({"x", "y"}, node_a, {1, new_year_us}, dice_);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

} // namespace
