#include "config/sources.hpp"

#include <toml++/toml.h>

#include <cerrno>
#include <cstring>

namespace rahat::config_detail {

namespace {

std::string at_line(const std::string& path, const toml::source_region& region) {
  return path + ":" + std::to_string(region.begin.line);
}

void read_value(const setting& row, const toml::node& node, const std::string& where,
                std::vector<written>& out, std::vector<config_error>& errors) {
  if (auto text = node.as_string())
    out.push_back({&row, text->get(), source::file, where});
  else if (auto number = node.as_integer())
    out.push_back({&row, number->get(), source::file, where});
  else if (auto flag = node.as_boolean())
    out.push_back({&row, flag->get(), source::file, where});
  else
    errors.push_back({where, std::string(row.name),
                      "must be a text, a whole number, true or false; see config/rahatd.toml"});
}

void read_section(const std::string& path, const std::string& section, const toml::table& table,
                  std::vector<written>& out, std::vector<config_error>& errors) {
  for (const auto& [key, node] : table) {
    auto name = section + "." + std::string(key.str());
    auto where = at_line(path, node.source());
    if (auto row = find_setting(name))
      read_value(*row, node, where, out, errors);
    else
      errors.push_back(unknown_setting(where, name, nearest_name(name)));
  }
}

} // namespace

std::vector<written> read_file(const std::string& path, std::vector<config_error>& errors) {
  std::vector<written> out;
  auto text = read_text(path);
  if (!text) {
    errors.push_back({path, "",
                      std::string("cannot be read: ") + std::strerror(errno) +
                          "; give another file with --config"});
    return out;
  }
  try {
    auto document = toml::parse(*text, path);
    for (const auto& [key, node] : document) {
      auto name = std::string(key.str());
      if (auto section = node.as_table())
        read_section(path, name, *section, out, errors);
      else
        errors.push_back(unknown_setting(at_line(path, node.source()), name, nearest_name(name)));
    }
  } catch (const toml::parse_error& e) {
    errors.push_back(
        {at_line(path, e.source()), "", "is not TOML: " + std::string(e.description())});
  }
  return out;
}

} // namespace rahat::config_detail
