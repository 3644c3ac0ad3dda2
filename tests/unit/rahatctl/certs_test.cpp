#include "apps/rahatctl/app.hpp"
#include "tests/support/scratch_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <boost/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

using testing::AllOf;
using testing::HasSubstr;

namespace {

const std::string node_id = "5f0c3b1e-8a52-4d0f-9c31-2f6d1a7be001";

class certs : public testing::Test {
protected:
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), {"rahatctl", "certs"});
    std::vector<const char*> argv;
    for (const auto& word : words)
      argv.push_back(word.c_str());
    std::ostringstream out;
    std::ostringstream err;
    rahat::environment env;
    auto code = rahat::ctl::run(static_cast<int>(argv.size()), argv.data(), env, out, err);
    out_ = out.str();
    err_ = err.str();
    return code;
  }
  /// A member of the answer, as JSON.
  std::string member(const char* name) const {
    return boost::json::serialize(boost::json::parse(out_).at(name));
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  rahat::test::scratch_folder scratch_;
  const std::filesystem::path& folder_ = scratch_.path();
  const std::string dir_ = scratch_.file("certs");
  std::string out_;
  std::string err_;
};

TEST_F(certs, an_authority_then_a_node) {
  ASSERT_EQ(run({"init", "--dir", dir_, "--name", "relief"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(dir_ + "/ca.pem"), HasSubstr("relief")));
  EXPECT_THAT(err_, HasSubstr("keep it off the nodes"));
  ASSERT_EQ(run({"node", "--dir", dir_, "--node", node_id, "--json"}), 0) << err_;
  EXPECT_EQ(member("node"), '"' + node_id + '"');
  EXPECT_EQ(member("issuer"), "\"relief\"");
  EXPECT_EQ(member("days_left"), "825");
  EXPECT_EQ(member("key_file"), '"' + dir_ + "/node-" + node_id + ".key\"");
  for (auto name : {"/ca.key", "/node-5f0c3b1e-8a52-4d0f-9c31-2f6d1a7be001.key"}) {
    struct stat info {};
    ASSERT_EQ(::stat((dir_ + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(certs, show_says_what_it_is) {
  ASSERT_EQ(run({"init", "--dir", dir_}), 0) << err_;
  ASSERT_EQ(
      run({"node", "--dir", dir_, "--node", node_id, "--days", "30", "--out", dir_ + "/node-1"}), 0)
      << err_;
  EXPECT_EQ(run({"show", dir_ + "/node-1.pem"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr(node_id), HasSubstr("rahat cluster authority"),
                          HasSubstr("valid_until"), HasSubstr("P-256")));
  EXPECT_EQ(run({"show", dir_ + "/ca.pem", "--json"}), 0);
  EXPECT_EQ(member("authority"), "true");
  EXPECT_EQ(member("node"), "null");
  EXPECT_EQ(member("name"), member("issuer"));

  EXPECT_EQ(run({"show", dir_ + "/node-1.key"}), 1);
  EXPECT_THAT(err_, HasSubstr("no certificate"));
  EXPECT_EQ(run({"show", dir_ + "/none"}), 1);
  EXPECT_THAT(err_, HasSubstr("cannot open"));
}

TEST_F(certs, nothing_is_replaced_without_force) {
  ASSERT_EQ(run({"init", "--dir", dir_}), 0) << err_;
  auto first = text_of(dir_ + "/ca.key");
  EXPECT_EQ(run({"init", "--dir", dir_}), 1);
  EXPECT_THAT(err_, HasSubstr("--force"));
  EXPECT_EQ(text_of(dir_ + "/ca.key"), first);
  EXPECT_EQ(run({"init", "--dir", dir_, "--force"}), 0) << err_;
  EXPECT_NE(text_of(dir_ + "/ca.key"), first);
}

TEST_F(certs, mistakes_are_told) {
  EXPECT_EQ(run({"node", "--dir", dir_, "--node", node_id}), 1);
  EXPECT_THAT(err_, HasSubstr("certs init"));
  EXPECT_EQ(run({"node", "--dir", dir_, "--node", "node-1"}), 2);
  EXPECT_THAT(err_, HasSubstr("UUID"));
  EXPECT_EQ(run({"node", "--dir", dir_}), 2);
  EXPECT_EQ(run({"init", "--dir", dir_, "--days", "0"}), 2);
  EXPECT_EQ(run({}), 2);
  ASSERT_EQ(run({"init", "--dir", dir_, "--days", "10"}), 0) << err_;
  EXPECT_EQ(run({"node", "--dir", dir_, "--node", node_id}), 1);
  EXPECT_THAT(err_, HasSubstr("outlive"));
  std::ofstream(folder_ / "file") << "";
  EXPECT_EQ(run({"init", "--dir", (folder_ / "file").string()}), 1);
  EXPECT_THAT(err_, HasSubstr("cannot make the folder"));
}

TEST_F(certs, help_shows_examples) {
  for (auto command : {"init", "node", "show"}) {
    EXPECT_EQ(run({command, "--help"}), 0);
    EXPECT_THAT(out_, HasSubstr("rahatctl certs " + std::string(command))) << command;
  }
}

} // namespace
