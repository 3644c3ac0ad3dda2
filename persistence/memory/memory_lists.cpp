#include "persistence/memory/cursor.hpp"
#include "persistence/memory/memory_store.hpp"

#include <algorithm>

/// The query side of the twin.
namespace rahat {

using memory::tables;

namespace {

bool matches(const list_query& q, const query_keys& keys) {
  return (!q.project || *q.project == keys.project) && (!q.parent || *q.parent == keys.parent) &&
         (!q.status || *q.status == keys.status);
}

outcome<page> list_page(const tables& db, const list_query& q) {
  if (q.limit == 0 || q.limit > memory_store::list_limit)
    return error{errc::invalid_input,
                 "limit must be between 1 and " + std::to_string(memory_store::list_limit),
                 "limit"};
  std::optional<memory::list_place> after;
  if (!q.cursor.empty()) {
    after = memory::place_of(q);
    if (!after)
      return error{errc::invalid_input,
                   "the cursor is not of this list: take it from the former page, with the same "
                   "filters, or leave it out",
                   "cursor"};
  }
  std::map<std::pair<std::int64_t, uuid>, const std::string*> found;
  for (auto at = db.queries.lower_bound({q.kind, {}});
       at != db.queries.end() && at->first.first == q.kind; ++at) {
    std::pair key{at->second.keys.created_us, at->first.second};
    bool later = !after || (q.newest_first ? key < std::pair{after->created_us, after->id}
                                           : key > std::pair{after->created_us, after->id});
    if (later && matches(q, at->second.keys))
      found.emplace(key, &at->second.doc);
  }
  page p;
  memory::list_place last;
  auto take = [&](auto from, auto to) {
    for (; from != to && p.items.size() < q.limit; ++from) {
      p.items.push_back(*from->second);
      last = {from->first.first, from->first.second};
    }
  };
  if (q.newest_first)
    take(found.rbegin(), found.rend());
  else
    take(found.begin(), found.end());
  if (found.size() > p.items.size())
    p.next = memory::cursor_of(q, last);
  return p;
}

/// The first number of a table's second key part that is greater than `after`.
std::uint32_t first_after(std::int64_t after) {
  constexpr std::int64_t last = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(after + 1, 0, last));
}

} // namespace

void memory_store::list(list_query q, callback<page> done) {
  enqueue_query(read_of<page>(std::move(done), [q](tables& db) { return list_page(db, q); }));
}

void memory_store::document(std::string kind, uuid id, callback<std::string> done) {
  enqueue_query(
      read_of<std::string>(std::move(done), [kind, id](tables& db) -> outcome<std::string> {
        auto at = db.queries.find({kind, id});
        if (at == db.queries.end())
          return error{errc::not_found, "there is no " + kind + " with this id", "id"};
        return at->second.doc;
      }));
}

void memory_store::lines(uuid list, std::int64_t after, std::uint32_t limit,
                         callback<std::vector<stored_line>> done) {
  using found = std::vector<stored_line>;
  enqueue_query(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    found out;
    auto at = db.lines.lower_bound({list, first_after(after)});
    for (; at != db.lines.end() && at->first.first == list && out.size() < limit; ++at)
      out.push_back(at->second);
    return out;
  }));
}

void memory_store::rows(uuid upload, std::vector<std::uint32_t> ordinals,
                        callback<std::vector<stored_row>> done) {
  using found = std::vector<stored_row>;
  std::sort(ordinals.begin(), ordinals.end());
  ordinals.erase(std::unique(ordinals.begin(), ordinals.end()), ordinals.end());
  enqueue_query(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    found out;
    for (auto ordinal : ordinals)
      if (auto at = db.rows.find({upload, ordinal}); at != db.rows.end())
        out.push_back(at->second);
    return out;
  }));
}

void memory_store::upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                                 callback<std::vector<stored_error>> done) {
  using found = std::vector<stored_error>;
  enqueue_query(read_of<found>(std::move(done), [=](tables& db) -> outcome<found> {
    found out;
    auto at = db.errors.lower_bound({upload, first_after(after), 0});
    for (; at != db.errors.end() && std::get<0>(at->first) == upload && out.size() < limit; ++at)
      out.push_back(at->second);
    return out;
  }));
}

} // namespace rahat
