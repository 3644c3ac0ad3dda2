#include "tests/conformance/suite.hpp"

#include <algorithm>

/// Lists: filters, order, cursors.
namespace rahat::conformance {

namespace {

std::string doc_of(int n) {
  return "{\"n\": " + std::to_string(n) + "}";
}

std::vector<std::string> docs(std::initializer_list<int> numbers) {
  std::vector<std::string> out;
  for (auto n : numbers)
    out.push_back(doc_of(n));
  return out;
}

} // namespace

void listing::SetUp() {
  store_conformance::SetUp();
  kind_ = "kind " + fresh_id().str();
  host_ = start(fresh());
}

uuid listing::put(int n, std::int64_t created_us, uuid project, uuid parent, std::string status,
                  std::optional<uuid> id) {
  auto c = next(host_);
  auto row = id.value_or(fresh_id());
  c.queries = {{kind_, row, {project, parent, std::move(status), created_us}, doc_of(n)}};
  land(host_, c);
  return row;
}

list_query listing::everything() const {
  list_query q;
  q.kind = kind_;
  return q;
}

void listing::expect_invalid(const list_query& q) {
  auto said = list(q);
  ASSERT_TRUE(std::holds_alternative<error>(said));
  EXPECT_EQ(std::get<error>(said).code, errc::invalid_input);
  EXPECT_FALSE(std::get<error>(said).message.empty());
}

TEST_P(listing, newest_or_oldest_first) {
  put(2, 200);
  put(1, 100);
  put(3, 300);
  auto q = everything();
  EXPECT_EQ(items(q), docs({3, 2, 1}));
  q.newest_first = false;
  EXPECT_EQ(items(q), docs({1, 2, 3}));
  q.kind += " other";
  EXPECT_TRUE(items(q).empty());
}

TEST_P(listing, filters_are_joined_by_and) {
  auto project = fresh_id();
  auto parent = fresh_id();
  put(1, 100, project, parent, "active");
  put(2, 200, project, {}, "active");
  put(3, 300, {}, parent, "closed");
  put(4, 400, project, parent, "closed");
  auto q = everything();
  q.newest_first = false;
  q.project = project;
  EXPECT_EQ(items(q), docs({1, 2, 4}));
  q.parent = parent;
  EXPECT_EQ(items(q), docs({1, 4}));
  q.status = "closed";
  EXPECT_EQ(items(q), docs({4}));
  q.project.reset();
  EXPECT_EQ(items(q), docs({3, 4}));
  q.parent = uuid{};
  EXPECT_TRUE(items(q).empty()) << "nil is a value, not the absence of a filter";
}

TEST_P(listing, pages_meet_without_gap_or_overlap) {
  for (int n = 0; n < 7; ++n)
    put(n, 100 + n / 3); // many of one moment
  for (bool newest_first : {true, false}) {
    auto q = everything();
    q.newest_first = newest_first;
    auto whole = items(q);
    q.limit = 2;
    std::vector<std::string> joined;
    int pages = 0;
    do {
      auto p = must(list(q));
      joined.insert(joined.end(), p.items.begin(), p.items.end());
      q.cursor = p.next;
      ASSERT_LE(++pages, 4);
    } while (!q.cursor.empty());
    EXPECT_EQ(pages, 4);
    EXPECT_EQ(joined, whole);
  }
}

TEST_P(listing, the_last_page_has_no_cursor_even_when_it_is_full) {
  for (int n = 0; n < 4; ++n)
    put(n, n);
  auto q = everything();
  q.limit = 2;
  q.cursor = must(list(q)).next;
  ASSERT_FALSE(q.cursor.empty());
  auto second = must(list(q));
  EXPECT_EQ(second.items.size(), 2u);
  EXPECT_TRUE(second.next.empty());
}

TEST_P(listing, cursors_stay_valid_under_inserts) {
  for (int n = 0; n < 6; ++n)
    put(n, 100 + n);
  auto q = everything();
  q.limit = 3;
  auto first = must(list(q));
  EXPECT_EQ(first.items, docs({5, 4, 3}));
  put(10, 200);
  put(11, 100); // of the same moment as the oldest
  q.cursor = first.next;
  q.limit = 200;
  auto rest = must(list(q)).items;
  EXPECT_EQ(rest.size(), 4u);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), doc_of(10)), 0);
  for (int n : {0, 1, 2, 11})
    EXPECT_EQ(std::count(rest.begin(), rest.end(), doc_of(n)), 1) << n;
}

TEST_P(listing, a_cursor_of_another_list_is_refused) {
  for (int n = 0; n < 3; ++n)
    put(n, n);
  auto q = everything();
  q.limit = 1;
  auto cursor = must(list(q)).next;
  ASSERT_FALSE(cursor.empty());
  q.cursor = cursor;
  EXPECT_EQ(items(q), docs({1}));
  auto other_status = q;
  other_status.status = "closed";
  expect_invalid(other_status);
  auto other_project = q;
  other_project.project = fresh_id();
  expect_invalid(other_project);
  auto other_kind = q;
  other_kind.kind += "x";
  expect_invalid(other_kind);
  auto other_order = q;
  other_order.newest_first = false;
  expect_invalid(other_order);
  for (auto bad :
       {std::string("x"), std::string(cursor.size(), 'f'), cursor + "0", cursor.substr(1),
        std::string("\0", 1), std::string("'; --"), std::string("\xff\xfe")}) {
    q.cursor = bad;
    expect_invalid(q);
  }
}

TEST_P(listing, a_page_has_at_most_200_items) {
  for (int n = 0; n < 3; ++n)
    put(n, n);
  auto q = everything();
  q.limit = 200;
  EXPECT_EQ(items(q).size(), 3u);
  q.limit = 201;
  expect_invalid(q);
  q.limit = 0;
  expect_invalid(q);
}

TEST_P(listing, a_row_is_replaced_by_its_entitys_next_commit) {
  auto id = put(1, 100);
  put(2, 50);
  put(3, 100, {}, {}, "closed", id);
  auto q = everything();
  EXPECT_EQ(items(q), docs({3, 2}));
  q.status = "active";
  EXPECT_EQ(items(q), docs({2}));
  auto found = must(ask<std::string>([&](auto done) { queries().document(kind_, id, done); }));
  EXPECT_EQ(found, doc_of(3));
  under_test().reopen();
  EXPECT_EQ(items(everything()), docs({3, 2}));
}

TEST_P(listing, commits_of_one_batch_may_replace_one_row) {
  constexpr int commits = 20;
  auto id = fresh_id();
  auto before = host_.ear->count();
  for (int n = 1; n <= commits; ++n) {
    auto c = next(host_);
    c.queries = {{kind_, id, {{}, {}, "active", 1}, doc_of(n)}};
    c.totals = {{"NPR", n}};
    c.timers = {{"wake", 1 + n}};
    send(host_, c);
  }
  ASSERT_TRUE(wait_heard(host_, before + commits));
  for (auto& heard : host_.ear->all())
    EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  EXPECT_EQ(items(everything()), docs({commits}));
}

TEST_P(listing, a_document_that_is_not_there_is_not_found) {
  auto id = put(1, 1);
  for (auto& [kind, row] : {std::pair{kind_, fresh_id()}, {kind_ + "x", id}}) {
    auto said = ask<std::string>(
        [&, kind = kind, row = row](auto done) { queries().document(kind, row, done); });
    ASSERT_TRUE(std::holds_alternative<error>(said));
    EXPECT_EQ(std::get<error>(said).code, errc::not_found);
  }
}

} // namespace rahat::conformance
