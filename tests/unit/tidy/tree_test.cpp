#include "tidy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

namespace fs = std::filesystem;
using namespace rahat::tidy;

namespace {

struct source_file {
  std::string path; // from the root
  std::string text;
};

const fs::path root = RAHAT_SOURCE_DIR;

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every file below the folders that hold code.
const std::vector<source_file>& files() {
  static const std::vector<source_file> all = [] {
    std::vector<source_file> out;
    for (auto folder : {"actors", "apps", "bench", "config", "gateways", "persistence", "runtime",
                        "supervision", "tests"})
      for (const auto& entry : fs::recursive_directory_iterator(root / folder))
        if (entry.is_regular_file())
          out.push_back({fs::relative(entry.path(), root).string(), content_of(entry.path())});
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
  }();
  return all;
}

bool has_suffix(const source_file& f, std::initializer_list<std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](std::string_view s) { return f.path.ends_with(s); });
}

bool is_source(const source_file& f) {
  return has_suffix(f, {".cpp", ".hpp", ".proto", ".sql"});
}

void report(const findings& all) {
  for (const auto& f : all)
    ADD_FAILURE() << f.str();
}

TEST(tree, is_there) {
  EXPECT_GT(files().size(), 20U) << "the tidy test looks at the wrong folder";
}

TEST(tree, keeps_to_the_layout) {
  for (const auto& f : files())
    if (is_source(f))
      report(check_layout(f.path, f.text));
}

TEST(tree, keeps_to_who_may_see_whom) {
  for (const auto& f : files())
    if (has_suffix(f, {".cpp", ".hpp"}))
      report(check_includes(f.path, f.text));
}

TEST(tree, asks_clocks_and_dice_through_ports) {
  for (const auto& f : files())
    report(check_ports(f.path, f.text));
}

TEST(tree, has_short_functions) {
  for (const auto& f : files()) {
    if (!has_suffix(f, {".cpp", ".hpp"}))
      continue;
    for (const auto& function : functions_of(f.text)) {
      if (function.lines <= listed_function_lines)
        continue;
      finding found{f.path, function.line,
                    function.name + " has " + std::to_string(function.lines) + " lines"};
      std::cout << "long: " << found.str() << '\n';
      EXPECT_LE(function.lines, max_function_lines) << found.str();
    }
  }
}

TEST(tree, has_no_dead_files) {
  std::vector<cmake_file> lists;
  for (const auto& f : files())
    if (fs::path(f.path).filename() == "CMakeLists.txt")
      lists.push_back({fs::path(f.path).parent_path().string(), f.text});
  for (const auto& f : files())
    if (has_suffix(f, {".cpp", ".proto"})) {
      EXPECT_TRUE(is_built(f.path, lists)) << f.path << " is named in no CMakeLists.txt";
    }
}

} // namespace
