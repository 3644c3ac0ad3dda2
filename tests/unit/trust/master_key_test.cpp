#include "runtime/trust/master_key.hpp"

#include "tests/support/scratch_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <filesystem>
#include <fstream>

using namespace rahat;
using testing::HasSubstr;

namespace {

std::string message_of(const master_key_result& r) {
  auto* e = std::get_if<error>(&r);
  return e ? e->message : "";
}

void write_file(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

TEST(master_key, is_made_once_private_and_whole) {
  test::scratch_folder folder;
  system_random dice;
  auto path = folder.file("master.key");
  auto first = load_master_key(path, true, dice);
  ASSERT_TRUE(std::holds_alternative<master_key>(first)) << message_of(first);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  auto again = load_master_key(path, true, dice);
  ASSERT_TRUE(std::holds_alternative<master_key>(again));
  EXPECT_EQ(std::get<master_key>(first).key.view(), std::get<master_key>(again).key.view());
  auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
  EXPECT_EQ(files, 1) << "no draft is left behind";
}

TEST(master_key, a_missing_file_is_an_error_unless_it_may_be_made) {
  test::scratch_folder folder;
  system_random dice;
  EXPECT_THAT(message_of(load_master_key(folder.file("none"), false, dice)),
              HasSubstr("cannot open"));
  EXPECT_FALSE(std::filesystem::exists(folder.file("none")));
}

TEST(master_key, a_file_that_others_can_read_is_refused) {
  test::scratch_folder folder;
  system_random dice;
  write_file(folder.file("key"), std::string(64, 'a'), 0640);
  EXPECT_THAT(message_of(load_master_key(folder.file("key"), true, dice)), HasSubstr("chmod 600"));
}

TEST(master_key, a_broken_file_is_refused_and_kept) {
  test::scratch_folder folder;
  system_random dice;
  write_file(folder.file("key"), "hello\n", 0600);
  EXPECT_THAT(message_of(load_master_key(folder.file("key"), true, dice)),
              HasSubstr("64 hex digits"));
  EXPECT_EQ(std::filesystem::file_size(folder.file("key")), 6u);
}

TEST(master_key, text_forms) {
  EXPECT_TRUE(std::holds_alternative<master_key>(parse_master_key(std::string(64, 'F') + "\r\n")));
  for (auto& bad : {std::string(), std::string("\n"), std::string(63, 'a'), std::string(65, 'a'),
                    std::string(63, 'a') + "g"})
    EXPECT_TRUE(std::holds_alternative<error>(parse_master_key(bad))) << bad;
}

TEST(master_key, labels_give_independent_keys) {
  auto key = std::get<master_key>(parse_master_key(std::string(64, '1'))).key;
  EXPECT_EQ(derive_key(key, "a").view(), derive_key(key, "a").view());
  EXPECT_NE(derive_key(key, "a").view(), derive_key(key, "b").view());
  EXPECT_NE(derive_key(key, "a").view(), key.view());
}

} // namespace
