#include "gateways/rest/members.hpp"

#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/view_fields.hpp"

#include <algorithm>
#include <limits>

namespace rahat::rest {

namespace {

/// Who asked for which members, on the way from the batch's answer over the staged rows to the
/// reply.
struct member_page {
  shared_context with;
  uuid batch;
  bool opened = false; // else masked
  http::responder done;
};

/// What the batch itself knows of a member.
struct listed_member {
  std::uint32_t index = 0;
  std::uint32_t ordinal = 0;
  std::string person;
  std::int64_t amount_minor = 0;
  std::int64_t balance_minor = 0;
};

struct listing {
  std::vector<listed_member> members; // ascending by ordinal, as by index
  std::int64_t total = 0;
  uuid upload;
};

listing read_listing(std::string_view body) {
  view_fields fields(body);
  auto ordinals = fields.numbers("ordinals");
  auto persons = fields.texts("persons");
  auto amounts = fields.numbers("amounts_minor");
  auto balances = fields.numbers("balances_minor");
  listing out;
  out.total = fields.number("total");
  out.upload = uuid::parse(fields.text("upload_id")).value_or(uuid{});
  auto index = static_cast<std::uint32_t>(fields.number("first"));
  for (std::size_t i = 0; i < ordinals.size(); ++i)
    out.members.push_back({index++, static_cast<std::uint32_t>(ordinals[i]), persons.at(i),
                           amounts.at(i), balances.at(i)});
  return out;
}

std::string_view word(open_failure why) {
  switch (why) {
    case open_failure::erased: return "erased";
    case open_failure::damaged: return "damaged";
    case open_failure::unknown_version: return "unknown_version";
  }
  return "damaged";
}

/// `row` is nothing when the staged row is not there any more; the wallet is.
std::string member_json(const member_page& page, row_sealer& rows, const listed_member& member,
                        const stored_row* row) {
  opened_row opened = open_failure::damaged;
  if (row)
    opened = rows.open(row->row, row->sealed, row->wrapped_key);
  auto* plain = std::get_if<std::string>(&opened);
  json_writer out;
  out.begin_object().id("id", wallet_of(page.batch, member.index)).number("index", member.index);
  if (row)
    out.number("row", row->row);
  else
    out.null("row");
  out.text("person_id", member.person)
      .number("amount_minor", member.amount_minor)
      .number("balance_minor", member.balance_minor)
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

std::vector<std::string> items_of(const member_page& page, const listing& list,
                                  const std::vector<stored_row>& found) {
  auto rows = page.with->trust.rows_of(list.upload);
  std::vector<std::string> items;
  auto row = found.begin();
  for (auto& member : list.members) {
    row = std::lower_bound(row, found.end(), member.ordinal,
                           [](const stored_row& r, std::uint32_t n) { return r.ordinal < n; });
    auto is_there = row != found.end() && row->ordinal == member.ordinal;
    items.push_back(member_json(page, rows, member, is_there ? &*row : nullptr));
  }
  return items;
}

/// Asks the batch for `limit` members from `first` and joins them with their sealed fields.
void list_members(const entity_resource& batches, const http::request& from, member_page page,
                  std::int64_t first, std::uint32_t limit,
                  std::function<void(const listing&, std::vector<std::string> items)> then) {
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  pb::BatchCommand command;
  command.mutable_list_members()->set_from_index(static_cast<std::uint32_t>(std::min(first, most)));
  command.mutable_list_members()->set_limit(limit);
  with_answer(batches, from, page.done, command.SerializeAsString(),
              [page, then = std::move(then)](const std::string& body) {
                auto list = read_listing(body);
                if (list.members.empty())
                  return then(list, {});
                std::vector<std::uint32_t> wanted;
                for (auto& member : list.members)
                  wanted.push_back(member.ordinal);
                auto upload = list.upload;
                page.with->queries.rows(upload, std::move(wanted),
                                        [page, list = std::move(list), then](auto outcome) {
                                          if (auto* why = std::get_if<error>(&outcome))
                                            return page.done(http::problem(*why));
                                          auto& rows = std::get<std::vector<stored_row>>(outcome);
                                          then(list, items_of(page, list, rows));
                                        });
              });
}

member_page page_for(const entity_resource& batches, const http::request& from,
                     const http::responder& done) {
  auto& role = from.who.role;
  return {batches.context(), uuid::parse(from.param("id")).value_or(uuid{}),
          role == "maker" || role == "checker" || role == "operator" || role == "admin", done};
}

std::string member_schema() {
  return object_schema(
      {{"id", "id"},
       {"index", "int"},
       {"row", "int?"},
       {"person_id", "id"},
       {"amount_minor", "money"},
       {"balance_minor", "money"},
       {"personal", one_of_schema({"open", "masked", "erased", "damaged", "unknown_version"})},
       {"person", R"({"type":["object","null"]})"}});
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

std::string member_list_json(const pb::MemberList& list) {
  json_writer out(64 + static_cast<std::size_t>(list.members_size()) * 80);
  out.begin_object()
      .number("first", list.members().empty() ? 0 : list.members(0).index())
      .number("total", list.total())
      .id("upload_id", list.upload());
  auto column = [&](std::string_view name, auto value) {
    out.begin_array(name);
    for (auto& member : list.members())
      out.element(value(member));
    out.end_array();
  };
  auto number = [](auto n) { return static_cast<std::int64_t>(n); };
  column("ordinals", [&](auto& m) { return number(m.ordinal()); });
  column("persons", [](auto& m) { return '"' + uuid::from_raw(m.person()).str() + '"'; });
  column("amounts_minor", [&](auto& m) { return number(m.amount_minor()); });
  column("balances_minor", [&](auto& m) { return number(m.balance_minor()); });
  out.end_object();
  return out.take();
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
  row.summary =
      "The batch's households and what their wallets hold; personal fields are masked "
      "for the role reader";
  row.response_schema = list_schema(member_schema());
  row.query = list_parameters();
  row.handle = [batches](http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    auto start = number_cursor(std::get<page_request>(bounds).cursor, 0);
    if (auto* wrong = std::get_if<error>(&start))
      return done(http::problem(*wrong));
    list_members(batches, from, page_for(batches, from, done), std::get<std::int64_t>(start),
                 std::get<page_request>(bounds).limit,
                 [done](const listing& list, std::vector<std::string> items) {
                   auto end = list.members.empty() ? list.total : list.members.back().index + 1;
                   done(page_response(items, end < list.total ? std::to_string(end) : ""));
                 });
  };
  return row;
}

http::route member_route(const entity_resource& batches) {
  http::route row;
  row.pattern = batches.path() + "/{id}/members/{member}";
  row.tag = batches.tag();
  row.summary = "One household and what its wallet holds";
  row.response_schema = member_schema();
  row.handle = [batches](http::request from, http::responder done) {
    auto page = page_for(batches, from, done);
    auto member = uuid::parse(from.param("member"));
    auto index = member ? wallet_index(page.batch, *member) : std::nullopt;
    error unknown{errc::not_found, "there is no member with this id in the batch", {}};
    if (!index)
      return done(http::problem(unknown));
    list_members(batches, from, page, *index, 1,
                 [done, unknown](const listing&, std::vector<std::string> items) {
                   if (items.empty())
                     return done(http::problem(unknown));
                   http::response out;
                   out.body = std::move(items.front());
                   done(std::move(out));
                 });
  };
  return row;
}

} // namespace rahat::rest
