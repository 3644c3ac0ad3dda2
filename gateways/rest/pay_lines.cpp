#include "gateways/rest/pay_lines.hpp"

#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/view_fields.hpp"

#include <algorithm>

namespace rahat::rest {

namespace {

/// Where the lines of one disbursement stand.
class line_states {
public:
  explicit line_states(const view_fields& view)
      : posted_through_(view.number("posted_through_line")), paid_(view.ranges("paid_lines")) {
    auto status = view.text("status");
    ended_ = status == "cancelled" || status == "cancelling";
    any_posted_ = view.number("lines_posted") > 0;
  }

  std::string_view of(std::int64_t no) const {
    auto after = std::upper_bound(paid_.begin(), paid_.end(), no,
                                  [](std::int64_t n, auto& range) { return n < range.first; });
    if (after != paid_.begin() && no <= std::prev(after)->second)
      return "paid";
    if (any_posted_ && no <= posted_through_)
      return "posted";
    return ended_ ? "cancelled" : "pending";
  }

private:
  std::int64_t posted_through_;
  std::vector<std::pair<std::int64_t, std::int64_t>> paid_;
  bool ended_ = false;
  bool any_posted_ = false;
};

std::string line_json(const stored_line& line, const line_states& states) {
  json_writer out(256);
  out.begin_object()
      .number("no", line.no)
      .id("person_id", line.person)
      .id("member_id", line.wallet)
      .id("batch_id", line.batch)
      .number("amount_minor", line.amount_minor)
      .text("state", states.of(line.no))
      .end_object();
  return out.take();
}

void answer(const entity_view& found, const page_request& bounds, std::int64_t after, queries& from,
            const http::responder& done) {
  view_fields view(*found.json);
  auto list = uuid::parse(view.text("list_id"));
  if (!list)
    return done(page_response({}, {})); // never locked: no lines yet
  // One more than is shown: whether anything follows.
  from.lines(*list, after, bounds.limit + 1,
             [done, limit = bounds.limit, states = line_states(view)](auto outcome) {
               if (auto* why = std::get_if<error>(&outcome))
                 return done(http::problem(*why));
               auto& lines = std::get<std::vector<stored_line>>(outcome);
               auto more = lines.size() > limit;
               if (more)
                 lines.resize(limit);
               std::vector<std::string> items;
               for (auto& line : lines)
                 items.push_back(line_json(line, states));
               done(page_response(items, more ? std::to_string(lines.back().no) : ""));
             });
}

} // namespace

http::route pay_lines_route(const entity_resource& disbursements) {
  http::route row;
  row.pattern = disbursements.path() + "/{id}/lines";
  row.tag = disbursements.tag();
  row.summary = "The pay list: who gets how much, and whether it has arrived";
  row.response_schema = list_schema(
      object_schema({{"no", "int"},
                     {"person_id", "id"},
                     {"member_id", "id"},
                     {"batch_id", "id"},
                     {"amount_minor", "money"},
                     {"state", one_of_schema({"pending", "posted", "paid", "cancelled"})}}));
  row.query = list_parameters();
  row.handle = [disbursements](http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    auto page = std::get<page_request>(bounds);
    auto after = number_cursor(page.cursor, -1);
    if (auto* wrong = std::get_if<error>(&after))
      return done(http::problem(*wrong));
    with_view(disbursements, from, done,
              [with = disbursements.context(), page, after = std::get<std::int64_t>(after),
               done](entity_view found) { answer(found, page, after, with->queries, done); });
  };
  return row;
}

} // namespace rahat::rest
