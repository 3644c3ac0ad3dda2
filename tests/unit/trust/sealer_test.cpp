#include "runtime/trust/sealer.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <set>

using namespace rahat;

namespace {

master_key key_of(char digit) {
  return std::get<master_key>(parse_master_key(std::string(64, digit)));
}

const uuid upload_a = derive_id({"upload", "a"});
const uuid upload_b = derive_id({"upload", "b"});
const std::string plain = R"({"name":"Asha Rai","phone":"+9779812345678"})";

class sealing : public testing::Test {
protected:
  system_random dice;
  sealer trust{key_of('7'), dice};
  row_sealer rows = trust.rows_of(upload_a);
};

open_failure failure(const opened_row& r) {
  EXPECT_TRUE(std::holds_alternative<open_failure>(r));
  return std::get<open_failure>(r);
}

TEST_F(sealing, what_was_sealed_opens) {
  for (auto& text : {plain, std::string(), std::string(70'000, 'x'), std::string("\0\xff", 2)}) {
    auto box = rows.seal(3, text);
    auto again = trust.rows_of(upload_a).open(3, box.sealed, box.wrapped_key);
    ASSERT_TRUE(std::holds_alternative<std::string>(again));
    EXPECT_EQ(std::get<std::string>(again), text);
    EXPECT_EQ(box.sealed.size(), text.size() + row_sealer::overhead);
    EXPECT_EQ(box.wrapped_key.size(), row_sealer::wrapped_size);
  }
}

TEST_F(sealing, plaintext_never_shows) {
  auto box = rows.seal(1, plain);
  EXPECT_EQ(box.sealed.find("Asha"), std::string::npos);
  EXPECT_EQ(box.wrapped_key.find("Asha"), std::string::npos);
}

TEST_F(sealing, each_row_has_its_own_key_and_nonce) {
  std::set<std::string> seen;
  for (std::uint32_t i = 0; i < 500; ++i) {
    auto box = rows.seal(1, plain);
    EXPECT_TRUE(seen.insert(box.sealed.substr(0, 13)).second);
    EXPECT_TRUE(seen.insert(box.wrapped_key.substr(0, 13)).second);
  }
}

TEST_F(sealing, any_altered_byte_is_noticed) {
  auto box = rows.seal(9, plain);
  for (std::size_t i = 0; i < box.sealed.size(); ++i) {
    auto bad = box.sealed;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(failure(rows.open(9, bad, box.wrapped_key)),
              i == 0 ? open_failure::unknown_version : open_failure::damaged);
  }
  for (std::size_t i = 1; i < box.wrapped_key.size(); ++i) {
    auto bad = box.wrapped_key;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(failure(rows.open(9, box.sealed, bad)), open_failure::damaged);
  }
}

TEST_F(sealing, a_row_opens_only_in_its_place) {
  auto box = rows.seal(9, plain);
  EXPECT_EQ(failure(rows.open(10, box.sealed, box.wrapped_key)), open_failure::damaged);
  auto elsewhere = trust.rows_of(upload_b);
  EXPECT_EQ(failure(elsewhere.open(9, box.sealed, box.wrapped_key)), open_failure::damaged);
  auto other = rows.seal(9, plain);
  EXPECT_EQ(failure(rows.open(9, box.sealed, other.wrapped_key)), open_failure::damaged);
  sealer stranger(key_of('8'), dice);
  auto stolen = stranger.rows_of(upload_a);
  EXPECT_EQ(failure(stolen.open(9, box.sealed, box.wrapped_key)), open_failure::damaged);
}

TEST_F(sealing, without_its_key_a_person_is_erased) {
  auto box = rows.seal(9, plain);
  EXPECT_EQ(failure(rows.open(9, box.sealed, "")), open_failure::erased);
}

TEST_F(sealing, truncated_boxes_are_damaged) {
  auto box = rows.seal(9, plain);
  for (std::size_t n = 1; n < row_sealer::overhead; ++n)
    EXPECT_EQ(failure(rows.open(9, box.sealed.substr(0, n), box.wrapped_key)),
              open_failure::damaged);
  EXPECT_EQ(failure(rows.open(9, "", box.wrapped_key)), open_failure::damaged);
  EXPECT_EQ(failure(rows.open(9, box.sealed, box.wrapped_key.substr(0, 40))),
            open_failure::damaged);
  // The same instance still works after failures.
  EXPECT_TRUE(std::holds_alternative<std::string>(rows.open(9, box.sealed, box.wrapped_key)));
}

TEST_F(sealing, persons_are_the_same_everywhere_and_cannot_be_guessed) {
  EXPECT_EQ(trust.person_id({}, "HH-1"), trust.person_id({}, "HH-1"));
  EXPECT_NE(trust.person_id({}, "HH-1"), trust.person_id({}, "HH-2"));
  EXPECT_NE(trust.person_id({}, "HH-1"), trust.person_id(upload_a, "HH-1"));
  EXPECT_NE(trust.person_id({}, "HH-1"), sealer(key_of('8'), dice).person_id({}, "HH-1"));
  EXPECT_EQ(trust.person_id({}, "HH-1").bytes[6] >> 4, 8);
}

TEST_F(sealing, codes_are_six_digits_of_their_request) {
  std::set<std::string> codes;
  for (int i = 0; i < 200; ++i) {
    auto code = trust.code_for(derive_id({std::to_string(i)}));
    EXPECT_EQ(code.size(), 6u);
    EXPECT_EQ(code.find_first_not_of("0123456789"), std::string::npos);
    codes.insert(code);
  }
  EXPECT_GT(codes.size(), 195u);
  EXPECT_EQ(trust.code_for(upload_a), trust.code_for(upload_a));
  EXPECT_EQ(trust.code_hash(upload_a, "123456").size(), 32u);
  EXPECT_NE(trust.code_hash(upload_a, "123456"), trust.code_hash(upload_b, "123456"));
}

TEST_F(sealing, a_tokens_secret_is_that_of_its_asker_and_key_and_of_nothing_else) {
  EXPECT_EQ(trust.token_secret("root", "k1"), trust.token_secret("root", "k1"));
  EXPECT_NE(trust.token_secret("root", "k1"), trust.token_secret("root", "k2"));
  EXPECT_NE(trust.token_secret("root", "k1"), trust.token_secret("asha", "k1"));
  EXPECT_NE(trust.token_secret("ro", "otk1"), trust.token_secret("root", "k1"));
  EXPECT_NE(trust.token_secret("root", "k1"), trust.content_hash({"root", "k1"}));
  EXPECT_NE(trust.token_secret("root", "k1"), sealer(key_of('8'), dice).token_secret("root", "k1"));
}

TEST_F(sealing, payload_parts_cannot_be_shifted) {
  EXPECT_NE(trust.payload_hash({"ab", "c"}), trust.payload_hash({"a", "bc"}));
  EXPECT_EQ(trust.payload_hash({"ab", "c"}), trust.payload_hash({"ab", "c"}));
}

TEST(keyed_hash, is_hmac_sha_256) {
  auto key = derive_key(key_of('1').key, "x");
  std::string framed("\0\0\0\0\0\0\0\3abc", 11);
  unsigned char expected[32];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), 32, reinterpret_cast<const unsigned char*>(framed.data()),
       framed.size(), expected, &size);
  auto got = keyed_hash(key).of({"abc"});
  EXPECT_TRUE(std::equal(got.begin(), got.end(), expected));
}

} // namespace
