#include "config/load.hpp"
#include "config/settings.hpp"

#include <sstream>

namespace rahat {

namespace {

using namespace config_detail;

constexpr std::size_t width = 96;

// Comment lines of at most `width` columns.
std::string comment(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string out;
  std::string line = "#";
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > width) {
      out += line + '\n';
      line = "#";
    }
    line += " " + word;
  }
  return out + line + '\n';
}

std::string explain(const setting& row) {
  std::string text(row.doc);
  if (!row.choices.empty()) {
    text += " One of";
    for (auto choice : row.choices)
      text += " \"" + std::string(choice) + "\"";
    text += ".";
  }
  if (!row.unit.empty())
    text += " Unit: " + std::string(row.unit) + ", " + std::to_string(row.least) + " to " +
            std::to_string(row.most) + ".";
  return text + " Default: " + default_text(row) + ".";
}

} // namespace

std::string reference_toml() {
  std::string out =
      comment(
          "Every setting of a Rahat node, with its default. Written by rahatd --reference-config "
          "and kept equal to it by a test; to change a default, change config/config.hpp.") +
      "#\n" +
      comment(
          "A value in this file yields to the environment (http.public_port: "
          "RAHAT_HTTP_PUBLIC_PORT), and that to a flag (--http.public_port 8080). Sizes may be "
          "written as \"16KiB\", \"1MiB\", \"1GiB\". Secrets are given by reference: "
          "\"file:/path\" or \"env:NAME\". rahatd --check-config --config FILE says what is "
          "wrong with a file, all of it at once.");
  for (const auto& s : sections()) {
    out += "\n" + comment(s.doc) + "[" + std::string(s.name) + "]\n";
    for (const auto& row : settings())
      if (row.section() == s.name)
        out += "\n" + comment(explain(row)) + "# " + std::string(row.key()) + " = " +
               value_text(row, config{}) + "\n";
  }
  return out;
}

} // namespace rahat
