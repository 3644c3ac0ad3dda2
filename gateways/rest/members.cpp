#include "gateways/rest/members.hpp"

#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/view_fields.hpp"

#include <algorithm>

namespace rahat::rest {

namespace {

/// A page of one batch's members, on its way from the view over the staged rows to the reply.
struct member_page {
  shared_context with;
  uuid batch;
  uuid upload;
  std::int64_t from = 0; // index of the first member
  std::int64_t total = 0;
  bool opened = false; // else masked
  std::vector<std::uint32_t> ordinals;
  http::responder done;
};

std::string_view word(open_failure why) {
  switch (why) {
    case open_failure::erased: return "erased";
    case open_failure::damaged: return "damaged";
    case open_failure::unknown_version: return "unknown_version";
  }
  return "damaged";
}

std::string member_json(const member_page& page, row_sealer& rows, const stored_row& row,
                        std::int64_t index) {
  auto opened = rows.open(row.row, row.sealed, row.wrapped_key);
  auto* plain = std::get_if<std::string>(&opened);
  json_writer out;
  out.begin_object()
      .id("id", wallet_of(page.batch, static_cast<std::uint32_t>(index)))
      .number("index", index)
      .number("row", row.row)
      .id("person_id", row.person)
      .number("amount_minor", row.amount_minor)
      .text("personal", !plain        ? word(std::get<open_failure>(opened))
                        : page.opened ? "open"
                                      : "masked");
  if (plain)
    out.raw("person", page.opened ? *plain : masked(*plain));
  else
    out.null("person");
  out.end_object();
  return out.take();
}

void answer(const member_page& page, const std::vector<stored_row>& found) {
  auto rows = page.with->trust.rows_of(page.upload);
  std::vector<std::string> items;
  auto row = found.begin();
  for (std::size_t i = 0; i < page.ordinals.size(); ++i) {
    row = std::lower_bound(row, found.end(), page.ordinals[i],
                           [](const stored_row& r, std::uint32_t n) { return r.ordinal < n; });
    if (row != found.end() && row->ordinal == page.ordinals[i])
      items.push_back(member_json(page, rows, *row, page.from + static_cast<std::int64_t>(i)));
  }
  auto end = page.from + static_cast<std::int64_t>(page.ordinals.size());
  page.done(page_response(items, end < page.total ? std::to_string(end) : ""));
}

void read_rows(member_page page, const entity_view& found, std::uint32_t limit) {
  view_fields batch(*found.json);
  if (batch.text("status") == "enrolling")
    return page.done(http::problem(
        {errc::wrong_status, "members are shown once the upload of this batch is accepted", {}}));
  page.upload = uuid::parse(batch.text("upload_id")).value_or(uuid{});
  page.total = batch.number("members");
  page.ordinals = member_ordinals(batch.number("first_ordinal"), batch.number("last_ordinal"),
                                  batch.numbers("excluded_ordinals"), page.from, limit);
  auto wanted = page.ordinals;
  if (wanted.empty())
    return page.done(page_response({}, {}));
  auto& from = page.with->queries;
  from.rows(page.upload, std::move(wanted), [page = std::move(page)](auto outcome) {
    if (auto* why = std::get_if<error>(&outcome))
      return page.done(http::problem(*why));
    answer(page, std::get<std::vector<stored_row>>(outcome));
  });
}

/// The first character of a text, whole.
std::string_view first_character(std::string_view text) {
  std::size_t n = text.empty() ? 0 : 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80)
    ++n;
  return text.substr(0, n);
}

std::string tail(const std::string& text) {
  constexpr std::size_t shown = 2;
  return text.size() <= 2 * shown ? "***" : "***" + text.substr(text.size() - shown);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

} // namespace

std::vector<std::uint32_t> member_ordinals(std::int64_t first, std::int64_t last,
                                           const std::vector<std::int64_t>& excluded,
                                           std::int64_t from, std::uint32_t limit) {
  std::vector<std::uint32_t> out;
  auto gap = std::lower_bound(excluded.begin(), excluded.end(), first);
  std::int64_t index = 0;
  for (auto ordinal = first; ordinal <= last && out.size() < limit; ++ordinal) {
    if (gap != excluded.end() && *gap == ordinal) {
      ++gap;
      continue;
    }
    if (index++ >= from)
      out.push_back(static_cast<std::uint32_t>(ordinal));
  }
  return out;
}

std::string masked(std::string_view person_json) {
  view_fields person(person_json);
  auto ref = person.text("external_ref");
  auto name = person.text("name");
  auto phone = person.text("phone");
  json_writer out;
  out.begin_object().text("external_ref", is_ascii(ref) ? tail(ref) : "***");
  if (!name.empty())
    out.text("name", std::string(first_character(name)) + "***");
  if (!phone.empty())
    out.text("phone", tail(phone));
  return out.end_object().take();
}

http::route members_route(const entity_resource& batches) {
  http::route row;
  row.pattern = batches.path() + "/{id}/members";
  row.tag = batches.tag();
  row.summary = "The batch's households; personal fields are masked for the role reader";
  row.response_schema = list_schema(object_schema(
      {{"id", "id"},
       {"index", "int"},
       {"row", "int"},
       {"person_id", "id"},
       {"amount_minor", "money"},
       {"personal", one_of_schema({"open", "masked", "erased", "damaged", "unknown_version"})},
       {"person", R"({"type":["object","null"]})"}}));
  row.query = list_parameters();
  row.handle = [batches](http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    auto start = number_cursor(std::get<page_request>(bounds).cursor, 0);
    if (auto* wrong = std::get_if<error>(&start))
      return done(http::problem(*wrong));
    auto& role = from.who.role;
    member_page page{batches.context(),
                     uuid::parse(from.param("id")).value_or(uuid{}),
                     {},
                     std::get<std::int64_t>(start),
                     0,
                     role == "maker" || role == "checker" || role == "operator" || role == "admin",
                     {},
                     done};
    with_view(batches, from, done,
              [page, limit = std::get<page_request>(bounds).limit](entity_view found) {
                read_rows(page, found, limit);
              });
  };
  return row;
}

} // namespace rahat::rest
