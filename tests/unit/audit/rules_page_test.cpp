#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

/// docs/rules.md and the protocols name what guards them: no page may outlive its tests.
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream{file}.rdbuf();
  return out.str();
}

/// All tests, as "suite.name", and their suites, as "suite.*".
std::set<std::string> all_tests(const fs::path& root) {
  static const std::regex test{R"(TEST(?:_[FP])?\((\w+),\s*(\w+)\))"};
  std::set<std::string> out;
  for (auto& entry : fs::recursive_directory_iterator{root / "tests"}) {
    if (entry.path().extension() != ".cpp")
      continue;
    const auto code = read(entry.path());
    for (std::sregex_iterator at{code.begin(), code.end(), test}, end; at != end; ++at) {
      out.insert((*at)[1].str() + "." + (*at)[2].str());
      out.insert((*at)[1].str() + ".*");
    }
  }
  return out;
}

/// The tests that a text names: `suite.name`, `suite.*`, and `.name` of the suite named last.
std::vector<std::string> named_tests(const std::string& text) {
  static const std::regex name{R"(`(\w*)\.(\w+|\*)`)"};
  static const std::set<std::string> files{"cpp", "hpp", "md", "proto", "sql", "toml"};
  std::vector<std::string> out;
  std::string suite;
  for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at) {
    if (files.contains((*at)[2].str()))
      continue;
    if ((*at)[1].length() > 0)
      suite = (*at)[1].str();
    out.push_back(suite + "." + (*at)[2].str());
  }
  return out;
}

/// What stands under the heading about tests, which closes a protocol's page.
std::string tests_section(const std::string& page) {
  static const std::regex heading{"\n## (Tests|Tested|How it is tested)\n"};
  std::smatch found;
  return std::regex_search(page, found, heading) ? found.suffix().str() : "";
}

/// `tests/...` wherever it is named: a folder, a file, or a file without its ending.
std::vector<std::string> named_places(const std::string& page) {
  static const std::regex place{"`(tests/[\\w/.]+)`"};
  std::vector<std::string> out;
  for (std::sregex_iterator at{page.begin(), page.end(), place}, end; at != end; ++at)
    out.push_back((*at)[1].str());
  return out;
}

bool is_there(const fs::path& place) {
  return fs::exists(place) || fs::exists(place.string() + ".cpp") ||
         fs::exists(place.string() + ".hpp");
}

TEST(rules_page, names_all_rules_and_only_tests_that_exist) {
  const fs::path root{RAHAT_ROOT};
  const auto tests = all_tests(root);
  const auto page = read(root / "docs" / "rules.md");
  for (auto& name : named_tests(page))
    EXPECT_TRUE(tests.contains(name)) << "docs/rules.md names " << name << ": it is no test";
  for (int rule = 1; rule <= 29; ++rule)
    EXPECT_NE(page.find("| R" + std::to_string(rule) + " |"), std::string::npos)
        << "docs/rules.md lacks R" << rule;
}

TEST(rules_page, protocols_name_only_tests_that_exist) {
  const fs::path root{RAHAT_ROOT};
  const auto tests = all_tests(root);
  std::size_t seen = 0;
  for (auto& entry : fs::directory_iterator{root / "docs" / "protocols"}) {
    const auto page = read(entry.path());
    const auto called = entry.path().filename().string();
    for (auto& name : named_tests(tests_section(page))) {
      ++seen;
      EXPECT_TRUE(tests.contains(name)) << called << " names " << name << ": it is no test";
    }
    for (auto& place : named_places(page))
      EXPECT_TRUE(is_there(root / place)) << called << " names " << place << ": it is not there";
  }
  EXPECT_GT(seen, 50U) << "the pages' sections about tests were not found";
}

TEST(rules_page, names_are_found_however_they_are_written) {
  EXPECT_EQ(named_tests("`a.b`, `.c`; `d.*` in `x/y_test.cpp`, `z.cpp` and `a b`"),
            (std::vector<std::string>{"a.b", "a.c", "d.*"}));
  EXPECT_EQ(tests_section("# P\n\n`a.b`\n\n## Tests\n\n`c.d`\n"), "\n`c.d`\n");
  EXPECT_EQ(named_places("`tests/unit/x_test.cpp`: `a.b`"),
            (std::vector<std::string>{"tests/unit/x_test.cpp"}));
}

} // namespace
