#include "config/load.hpp"
#include "config/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

using namespace rahat;
using namespace rahat::config_detail;

namespace {

const std::string reference_path = RAHAT_SOURCE_DIR "/config/rahatd.toml";

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(reference_config, is_what_the_settings_table_says) {
  EXPECT_EQ(content_of(reference_path), reference_toml())
      << "config/rahatd.toml is behind: write it anew with\n"
         "  build/release/apps/rahatd/rahatd --reference-config > config/rahatd.toml";
}

// Independent of the writer above: reads the file as an operator would.
TEST(reference_config, names_every_setting_with_its_default_and_unit) {
  auto text = content_of(reference_path);
  std::size_t from = 0;
  for (const auto& row : settings()) {
    auto line = "\n# " + std::string(row.key()) + " = " + value_text(row, config{}) + "\n";
    auto found = text.find(line, from);
    ASSERT_NE(found, std::string::npos) << row.name;
    auto explanation = text.substr(from, found - from);
    EXPECT_NE(explanation.find("Default:"), std::string::npos) << row.name;
    if (!row.unit.empty()) {
      EXPECT_NE(explanation.find("Unit:"), std::string::npos) << row.name;
    }
    from = found + 1;
  }
}

TEST(reference_config, uncommented_it_is_a_valid_file_that_changes_nothing) {
  std::string text;
  std::ifstream in(reference_path);
  for (std::string line; std::getline(in, line);) {
    auto equals = line.find(" = ");
    auto key = line.starts_with("# ") && equals != std::string::npos ? line.substr(2, equals - 2)
                                                                     : std::string(" ");
    text += (key.find(' ') == std::string::npos ? line.substr(2) : line) + "\n";
  }
  auto path = testing::TempDir() + "rahat-reference.toml";
  std::ofstream(path) << text;
  const char* argv[] = {"rahatd", "--config", path.c_str()};
  auto loaded = load(3, argv, {{"HOME", "/home/asha"}});
  std::remove(path.c_str());
  for (const auto& e : loaded.errors)
    ADD_FAILURE() << e.str();
  EXPECT_EQ(loaded.origins.size(), settings().size()) << "a setting is missing from the file";
  for (const auto& row : settings())
    if (row.section() != "node") { // these are computed
      EXPECT_EQ(value_text(row, loaded.values), value_text(row, config{})) << row.name;
    }
}

TEST(settings_table, is_consistent) {
  std::set<std::string_view> names;
  std::set<std::string_view> known;
  for (const auto& s : sections())
    known.insert(s.name);
  for (const auto& row : settings()) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(names.insert(row.name).second) << "named twice";
    EXPECT_TRUE(known.contains(row.section())) << "its section is not described";
    EXPECT_FALSE(row.doc.empty());
    EXPECT_EQ(find_setting(row.name), &row);
    if (auto at = std::get_if<integer_slot>(&row.at)) {
      config defaults;
      EXPECT_LE(row.least, (*at)(defaults));
      EXPECT_GE(row.most, (*at)(defaults));
      EXPECT_FALSE(row.unit.empty()) << "a number without a unit";
    }
  }
}

TEST(settings_table, every_field_has_its_own_row) {
  config c;
  std::set<const void*> places;
  for (const auto& row : settings())
    std::visit([&](auto at) { places.insert(&at(c)); }, row.at);
  EXPECT_EQ(places.size(), settings().size()) << "two rows share a field";
}

} // namespace
