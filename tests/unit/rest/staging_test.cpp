#include "gateways/rest/staging.hpp"

#include "actors/upload/upload.pb.h"
#include "fakes.hpp"
#include "gateways/rest/view_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::rest;
using namespace rahat::test;
using testing::HasSubstr;

namespace {

using namespace std::chrono;
constexpr auto today = year_month_day{2026y, November, 20d};

raw_row row_with(column which, std::string_view value) {
  raw_row row;
  row[column::external_ref] = "HH-1";
  row[which] = value;
  return row;
}

class staging_of_rows : public testing::Test {
protected:
  system_random dice;
  sealer trust{std::get<master_key>(parse_master_key(std::string(64, '5'))), dice};
  uuid upload = id_of("upload");

  static pb::StageRows rows_of(const chunk& c) {
    pb::UploadCommand command;
    EXPECT_TRUE(command.ParseFromString(c.command));
    return command.stage();
  }
};

TEST(household_check, good_values_are_normalised) {
  raw_row row;
  row[column::external_ref] = " HH-1 ";
  row[column::name] = "\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe";
  row[column::phone] = "+977 (98) 1234-5678";
  row[column::gender] = "F";
  row[column::birth_date] = "1984-02-29";
  row[column::household_size] = "5";
  row[column::location] = "Ilam";
  row[column::amount_minor] = "150000";
  row.extras = {{"ward \"3\"", "x"}, {"empty", " "}};
  household out;
  EXPECT_TRUE(check(row, today, out).empty());
  EXPECT_EQ(out.external_ref, "HH-1");
  EXPECT_EQ(out.amount_minor, 150'000);
  EXPECT_EQ(out.document,
            "{\"external_ref\":\"HH-1\",\"name\":\"\xe0\xa4\x86\xe0\xa4\xb6\xe0\xa4\xbe\","
            "\"phone\":\"+9779812345678\",\"gender\":\"female\","
            "\"birth_date\":\"1984-02-29\",\"household_size\":5,\"location\":\"Ilam\","
            "\"extras\":{\"ward \\\"3\\\"\":\"x\"}}");
}

TEST(household_check, bad_values_name_the_field) {
  struct bad {
    column which;
    std::string value;
    std::string why;
  };
  for (auto& [which, value, why] : std::vector<bad>{
           {column::external_ref, "", "is missing"},
           {column::external_ref, "   ", "is missing"},
           {column::external_ref, std::string(101, 'x'), "at most 100 characters"},
           {column::external_ref, std::string("a\0b", 3), "control character"},
           {column::name, "a\nb", "control character"},
           {column::name, "\xc3", "not UTF-8"},
           {column::name, std::string(201, 'x'), "at most 200"},
           {column::phone, "98x", "digits"},
           {column::phone, "1234", "5 to 15"},
           {column::phone, "1234567890123456", "5 to 15"},
           {column::phone, "12+34567", "digits"},
           {column::gender, "w", "female, male"},
           {column::birth_date, "27/03/1984", "YYYY-MM-DD"},
           {column::birth_date, "1983-02-29", "YYYY-MM-DD"},
           {column::birth_date, "1899-12-31", "1900-01-01"},
           {column::birth_date, "2026-11-21", "today"},
           {column::household_size, "0", "1 to 100"},
           {column::household_size, "101", "1 to 100"},
           {column::household_size, "five", "1 to 100"},
           {column::amount_minor, "-1", "minor units"},
           {column::amount_minor, "1000000000001", "minor units"},
           {column::amount_minor, "99999999999999999999999", "minor units"},
           {column::amount_minor, "1,500.00", "150000"},
           {column::amount_minor, "12.5", "minor units"},
           {column::location, std::string(501, 'x'), "at most 500"},
       }) {
    household out;
    auto row = row_with(which, value);
    auto errors = check(row, today, out);
    ASSERT_EQ(errors.size(), 1u) << value;
    EXPECT_EQ(errors[0].field, to_string(which));
    EXPECT_THAT(errors[0].message, HasSubstr(why)) << value;
  }
}

TEST(household_check, edges_are_allowed) {
  for (auto& [which, value] :
       std::vector<std::pair<column, std::string>>{{column::external_ref, std::string(100, 'x')},
                                                   {column::amount_minor, "0"},
                                                   {column::amount_minor, "1000000000000"},
                                                   {column::household_size, "1"},
                                                   {column::household_size, "100"},
                                                   {column::birth_date, "2026-11-20"},
                                                   {column::birth_date, "1900-01-01"},
                                                   {column::phone, "12345"}}) {
    household out;
    EXPECT_TRUE(check(row_with(which, value), today, out).empty()) << value;
  }
}

TEST(household_check, too_much_in_all_is_refused) {
  auto row = row_with(column::name, "x");
  std::vector<std::string> values(5, std::string(1'900, 'x'));
  for (auto& v : values)
    row.extras.emplace_back("e", v);
  household out;
  EXPECT_THAT(check(row, today, out).at(0).message, HasSubstr("8000 bytes"));
}

TEST_F(staging_of_rows, seals_what_it_stages) {
  staging to(trust, upload, today);
  to.on_row(5, row_with(column::name, "Asha Rai"));
  to.finish();
  auto chunks = to.take();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].command.find("Asha"), std::string::npos) << "no name in clear";
  EXPECT_EQ(chunks[0].command.find("HH-1"), std::string::npos) << "no reference in clear";
  auto staged = rows_of(chunks[0]);
  ASSERT_EQ(staged.rows_size(), 1);
  auto& row = staged.rows(0);
  EXPECT_EQ(row.row(), 5u);
  EXPECT_EQ(row.person(), trust.person_id({}, "HH-1").raw());
  auto opened = trust.rows_of(upload).open(5, row.sealed(), row.wrapped_key());
  EXPECT_EQ(std::get<std::string>(opened), R"({"external_ref":"HH-1","name":"Asha Rai"})");
}

TEST_F(staging_of_rows, chunks_hold_a_thousand_rows_and_errors) {
  staging to(trust, upload, today);
  for (std::uint32_t i = 1; i <= 2'500; ++i) {
    if (i % 10 == 0)
      to.on_bad_row(i, {"phone", "is wrong"});
    else
      to.on_row(i, row_with(column::name, "x"));
  }
  to.finish();
  auto chunks = to.take();
  std::uint32_t next = 1;
  for (std::uint32_t n = 0; n < chunks.size(); ++n) {
    auto staged = rows_of(chunks[n]);
    EXPECT_EQ(staged.chunk(), n);
    EXPECT_LE(staged.rows_size() + staged.errors_size(), max_chunk_rows);
    EXPECT_LE(chunks[n].command.size(), 256u * 1024);
    std::vector<std::uint32_t> numbers;
    for (auto& r : staged.rows())
      numbers.push_back(r.row());
    for (auto& e : staged.errors())
      numbers.push_back(e.row());
    std::sort(numbers.begin(), numbers.end());
    for (auto number : numbers)
      EXPECT_EQ(number, next++);
  }
  EXPECT_EQ(next, 2'501u);
  EXPECT_EQ(to.chunks(), chunks.size());
}

TEST_F(staging_of_rows, long_rows_make_short_chunks) {
  staging to(trust, upload, today);
  std::string text(1'900, 'x');
  raw_row row = row_with(column::name, "x");
  row.extras = {{"a", text}, {"b", text}, {"c", text}, {"d", text}};
  for (std::uint32_t i = 1; i <= 200; ++i)
    to.on_row(i, row);
  to.finish();
  auto chunks = to.take();
  EXPECT_GT(chunks.size(), 5u);
  for (auto& c : chunks)
    EXPECT_LE(c.command.size(), 256u * 1024);
}

TEST_F(staging_of_rows, the_same_rows_always_hash_the_same) {
  auto hashes = [&](std::string_view name) {
    staging to(trust, upload, today);
    to.on_row(1, row_with(column::name, name));
    to.on_bad_row(2, {"phone", "is wrong"});
    to.finish();
    auto c = to.take().at(0);
    return std::tuple(c.payload_hash, to.content());
  };
  EXPECT_EQ(hashes("Asha"), hashes("Asha"));
  EXPECT_NE(std::get<0>(hashes("Asha")), std::get<0>(hashes("Bina")));
  EXPECT_NE(std::get<1>(hashes("Asha")), std::get<1>(hashes("Bina")));
}

} // namespace
