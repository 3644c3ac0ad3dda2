#include "apps/rahatctl/demo_register.hpp"

#include <array>
#include <fstream>
#include <map>
#include <stdexcept>
#include <vector>

namespace rahat::ctl {

namespace {

constexpr std::int64_t minor_per_person = 5'000; // 50.00 for each person of the household

struct household {
  std::string id;
  std::int64_t size = 0;
  std::string region;
  std::string sex;
};

struct name_lists {
  std::map<std::string, std::vector<std::string>> forenames; // by country + gender
  std::map<std::string, std::vector<std::string>> surnames;  // by country
  std::vector<std::string> countries;                        // with all three
};

/// The files have no quoted fields in the columns that are read.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out(1);
  for (char c : line) {
    if (c == ',')
      out.emplace_back();
    else if (c != '\r')
      out.back() += c;
  }
  return out;
}

template <class Row>
void each_row(const std::string& file, std::size_t columns, Row row) {
  std::ifstream in{file};
  if (!in)
    throw std::runtime_error("cannot read " + file);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    auto fields = split(line);
    if (fields.size() < columns)
      throw std::runtime_error("a row of " + file + " is too short: " + line);
    row(fields);
  }
}

std::vector<household> read_heads(const std::string& file) {
  std::vector<household> heads;
  each_row(file, 7, [&](const std::vector<std::string>& f) {
    if (f[6] == "head")
      heads.push_back({f[0], std::stoll(f[1]), f[2], f[5]});
  });
  if (heads.empty())
    throw std::runtime_error(file + " holds no heads of households");
  return heads;
}

name_lists read_names(const std::string& folder) {
  name_lists names;
  each_row(folder + "/forenames.csv", 4, [&](const std::vector<std::string>& f) {
    if (!f[3].empty())
      names.forenames[f[0] + f[1]].push_back(f[3]);
  });
  each_row(folder + "/surnames.csv", 4, [&](const std::vector<std::string>& f) {
    if (!f[3].empty())
      names.surnames[f[0]].push_back(f[3]);
  });
  for (auto& [country, list] : names.surnames)
    if (names.forenames.contains(country + "M") && names.forenames.contains(country + "F"))
      names.countries.push_back(country);
  if (names.countries.empty())
    throw std::runtime_error(folder + " holds no usable names");
  return names;
}

std::string name_of(const name_lists& names, const household& home, std::uint64_t nth) {
  auto& country = names.countries[nth % names.countries.size()];
  auto& first = names.forenames.at(country + (home.sex == "female" ? "F" : "M"));
  auto& last = names.surnames.at(country);
  return first[nth / 7 % first.size()] + " " + last[nth / 3 % last.size()];
}

} // namespace

demo_register read_demo_register(const std::string& examples, std::uint64_t lines) {
  auto heads = read_heads(examples + "/register/ghana_glss_synthetic_persons.csv");
  auto names = read_names(examples + "/names");
  demo_register out;
  out.households = lines == 0 ? heads.size() : lines;
  out.csv = "external_ref,name,gender,household_size,location,amount_minor\n";
  out.csv.reserve(out.households * 72);
  for (std::uint64_t i = 0; i < out.households; ++i) {
    auto& home = heads[i % heads.size()];
    auto copy = i / heads.size();
    auto amount = home.size * minor_per_person;
    out.amount_minor += amount;
    out.csv += "GLSS-" + home.id + (copy == 0 ? "" : "-" + std::to_string(copy)) + "," +
               name_of(names, home, i) + "," + (home.sex == "female" ? "f" : "m") + "," +
               std::to_string(home.size) + "," + home.region + "," + std::to_string(amount) + "\n";
  }
  return out;
}

} // namespace rahat::ctl
