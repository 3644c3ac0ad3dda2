#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The one table that every setting is described in. Private to config/ and its tests.
namespace rahat::config_detail {

/// Where a setting lives in `config`, and thereby its type.
using text_slot = std::string& (*)(config&);
using integer_slot = std::int64_t& (*)(config&);
using flag_slot = bool& (*)(config&);
using secret_slot = secret& (*)(config&);
using slot = std::variant<text_slot, integer_slot, flag_slot, secret_slot>;

struct setting {
  std::string_view name; // "section.key"
  slot at;               // the default is what `config{}` has there
  std::string_view unit; // "" for texts and plain switches
  std::string_view doc;  // one or two sentences, no default, no unit
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::vector<std::string_view> choices = {}; // of a text; none = anything
  std::string_view when_empty = "";           // what "" stands for

  std::string_view section() const { return name.substr(0, name.find('.')); }
  std::string_view key() const { return name.substr(name.find('.') + 1); }
  std::string environment_name() const; // RAHAT_SECTION_KEY
  std::string flag_name() const { return "--" + std::string(name); }

  template <class Slot>
  bool is() const {
    return std::holds_alternative<Slot>(at);
  }
};

struct section {
  std::string_view name;
  std::string_view doc;
};

/// All settings, those of a section together, in the order of `sections()`.
const std::vector<setting>& settings();
const std::vector<section>& sections();

const setting* find_setting(std::string_view name);

/// The known name that was probably meant, or "".
std::string nearest_name(std::string_view unknown);

/// The value as it would stand in the file: 8080, true, "text". Secrets show whether they are set.
std::string value_text(const setting& row, const config& from);

/// "127.0.0.1", "8080 (port)" ...: the default with its unit or the meaning of "", for people.
std::string default_text(const setting& row);

} // namespace rahat::config_detail
