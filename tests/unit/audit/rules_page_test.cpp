#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

/// docs/rules.md names what guards each rule: the page must not outlive the tests.
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream{file}.rdbuf();
  return out.str();
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  std::set<std::string> out;
  const std::regex expression{pattern};
  for (std::sregex_iterator at{text.begin(), text.end(), expression}, end; at != end; ++at)
    out.insert(at->size() > 2 ? (*at)[1].str() + "." + (*at)[2].str() : (*at)[1].str());
  return out;
}

TEST(rules_page, names_all_rules_and_only_tests_that_exist) {
  const fs::path root{RAHAT_ROOT};
  std::set<std::string> tests;
  for (auto& entry : fs::recursive_directory_iterator{root / "tests"})
    if (entry.path().extension() == ".cpp")
      tests.merge(matches(read(entry.path()), R"(TEST(?:_[FP])?\((\w+),\s*(\w+)\))"));
  const auto page = read(root / "docs" / "rules.md");
  for (auto& name : matches(page, R"(`(\w+)\.(\w+)`)"))
    EXPECT_TRUE(tests.contains(name)) << "docs/rules.md names " << name << ": it is no test";
  const auto rules = matches(page, R"(\| R(\d+) \|)");
  for (int rule = 1; rule <= 29; ++rule)
    EXPECT_TRUE(rules.contains(std::to_string(rule))) << "docs/rules.md lacks R" << rule;
}

} // namespace
