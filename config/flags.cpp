#include "config/sources.hpp"

#include <CLI/CLI.hpp>

#include <deque>

namespace rahat::config_detail {

namespace {

std::string help_text(const setting& row) {
  auto text = std::string(row.doc);
  if (!row.choices.empty()) {
    text += " One of";
    for (auto choice : row.choices)
      text += " " + std::string(choice);
    text += ".";
  }
  return text + " [" + default_text(row) + "]";
}

// CLI11 leaves what it does not know; a value that follows an unknown flag belongs to it.
void report_extras(const std::vector<std::string>& extras, std::vector<config_error>& errors) {
  bool after_flag = false;
  for (const auto& word : extras) {
    if (word.rfind("-", 0) == 0) {
      auto name = word.substr(0, word.find('='));
      auto bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
      auto nearest = nearest_name(bare);
      errors.push_back(
          unknown_setting("flag " + name, bare, nearest.empty() ? "" : "--" + nearest));
      after_flag = word.find('=') == std::string::npos;
    } else if (!std::exchange(after_flag, false)) {
      errors.push_back({"command line", "", "'" + word + "' is no flag; see rahatd --help"});
    }
  }
}

} // namespace

command_line read_flags(int argc, const char* const* argv, std::vector<config_error>& errors) {
  command_line out;
  CLI::App app{
      "rahatd: a node of Rahat, the reactive runtime for aid distribution.\n"
      "Settings come from a file (--config), then the environment (RAHAT_SECTION_KEY), then "
      "these flags.",
      "rahatd"};
  app.set_version_flag("--version", "rahatd " RAHAT_VERSION);
  app.allow_extras();
  std::string file;
  auto* file_option =
      app.add_option("--config", file, "File to read [$RAHAT_CONFIG, else /etc/rahat/rahatd.toml]");
  bool reference = false;
  app.add_flag("--check-config", out.check_only, "Check the settings, show them and exit");
  app.add_flag("--reference-config", reference,
               "Print a file that explains every setting and exit");

  std::deque<std::string> texts; // references into it stay valid
  std::vector<std::pair<const setting*, CLI::Option*>> options;
  for (const auto& row : settings()) {
    auto* option = app.add_option(row.flag_name(), texts.emplace_back(), help_text(row));
    option->group(std::string(row.section()))->type_name(row.unit.empty() ? "TEXT" : "N");
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    options.emplace_back(&row, option);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out.message = app.help();
  } catch (const CLI::CallForVersion&) {
    out.message = "rahatd " RAHAT_VERSION "\n";
  } catch (const CLI::ParseError& e) {
    errors.push_back({"command line", "", e.what()});
  }
  report_extras(app.remaining(), errors);
  for (std::size_t i = 0; i < options.size(); ++i)
    if (options[i].second->count() > 0)
      out.values.push_back(
          {options[i].first, texts[i], source::flag, "flag " + options[i].first->flag_name()});
  if (file_option->count() > 0)
    out.file = file;
  if (reference)
    out.message = reference_toml();
  return out;
}

} // namespace rahat::config_detail
