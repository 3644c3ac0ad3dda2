#include "fakes.hpp"

#include "actors/settlement/settlement.pb.h"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_fields.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace rahat::test {

namespace {

constexpr std::size_t most_pages = 1'000;

} // namespace

void fake_entities::ask(rahat::request r, reply_callback done) {
  asked.push_back(r);
  most_in_flight = std::max(most_in_flight, ++in_flight);
  outcome result;
  if (decide) {
    result = decide(r);
  } else {
    wire::Reply reply;
    reply.set_status(200);
    reply.set_body(R"({"id":")" + r.target.id.str() + "\"}");
    reply.set_version(3);
    reply.set_shard(17);
    reply.set_position(99);
    result = reply;
  }
  auto deliver = [this, result = std::move(result), done = std::move(done)] {
    --in_flight;
    done(result);
  };
  if (hold)
    held.push_back(deliver);
  else
    deliver();
}

void fake_entities::look(const entity_ref& target, std::chrono::steady_clock::time_point,
                         view_callback done) {
  if (look_error)
    return done(*look_error);
  auto found = views.find(target);
  if (found == views.end())
    return done(error{errc::not_found, "nothing was ever committed here", {}});
  done(found->second);
}

void fake_entities::let_go() {
  auto now = std::exchange(held, {});
  for (auto& deliver : now)
    deliver();
}

void fake_entities::show(const entity_ref& what, std::string json, std::uint64_t version) {
  views[what] = {std::make_shared<const std::string>(std::move(json)), version, 17, 99};
}

void fake_queries::list(list_query q, callback<page> done) {
  listed.push_back(q);
  if (failure)
    return done(*failure);
  done(on_list ? on_list(q) : std::variant<page, error>(page{}));
}

void fake_queries::document(std::string kind, uuid id, callback<std::string> done) {
  auto found = documents.find({kind, id});
  if (found == documents.end())
    return done(error{errc::not_found, "none", {}});
  done(found->second);
}

void fake_queries::lines(uuid list, std::int64_t after, std::uint32_t limit,
                         callback<std::vector<stored_line>> done) {
  std::vector<stored_line> out;
  for (auto& line : pay_lists[list])
    if (line.no > after && out.size() < limit)
      out.push_back(line);
  done(out);
}

void fake_queries::rows(uuid upload, std::vector<std::uint32_t> ordinals,
                        callback<std::vector<stored_row>> done) {
  std::vector<stored_row> out;
  for (auto& row : uploads[upload])
    if (std::find(ordinals.begin(), ordinals.end(), row.ordinal) != ordinals.end())
      out.push_back(row);
  done(out);
}

void fake_queries::upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                                 callback<std::vector<stored_error>> done) {
  std::vector<stored_error> out;
  for (auto& e : errors[upload])
    if (e.row > after && out.size() < limit)
      out.push_back(e);
  done(out);
}

rest_test_bed::rest_test_bed()
    : trust(std::get<master_key>(parse_master_key(std::string(64, '5'))), dice) {}

http::router& rest_test_bed::routes() {
  if (!router_) {
    rest::rest_context context{
        entities,
        queries,
        time,
        trust,
        [this](auto, std::function<void()> then) { delayed.push_back(std::move(then)); },
        limits};
    router_ = std::make_unique<http::router>(rest::make_routes(context));
  }
  return *router_;
}

http::admission rest_test_bed::admit(const call& what) {
  http::request_head head;
  head.verb = what.verb;
  head.target = what.target;
  head.authorization = "Bearer token";
  if (what.verb == "POST") {
    head.content_type = what.content_type;
    head.idempotency_key = what.key;
    head.has_idempotency_key = !what.key.empty();
    head.has_body = true;
  }
  head.if_match = what.if_match;
  head.if_none_match = what.if_none_match;
  return routes().admit(head, [&](std::string_view) {
    return std::optional(http::caller{what.user, what.role});
  });
}

namespace {

struct mail {
  std::optional<http::response> answer;
  int answers = 0;
};

http::responder to(const std::shared_ptr<mail>& box) {
  return http::responder([box](http::response r) {
    ++box->answers;
    box->answer = std::move(r);
  });
}

http::response taken(const std::shared_ptr<mail>& box) {
  EXPECT_EQ(box->answers, 1) << "a request is answered exactly once";
  return box->answer.value_or(http::response{0, "", "", {}});
}

} // namespace

http::response rest_test_bed::send(const call& what) {
  auto admitted = admit(what);
  if (admitted.refusal)
    return *admitted.refusal;
  admitted.ask.body = what.body;
  admitted.ask.deadline = time.steady() + std::chrono::seconds(30);
  auto box = std::make_shared<mail>();
  admitted.to->handle(std::move(admitted.ask), to(box));
  return taken(box);
}

http::response rest_test_bed::get(const std::string& target, const std::string& role) {
  call what;
  what.target = target;
  what.role = role;
  return send(what);
}

http::response rest_test_bed::post(const std::string& target, const std::string& body,
                                   const std::string& role) {
  call what;
  what.verb = "POST";
  what.target = target;
  what.body = body;
  what.role = role;
  return send(what);
}

http::response rest_test_bed::stream(const call& what, std::size_t piece, bool complete) {
  auto admitted = admit(what);
  if (admitted.refusal)
    return *admitted.refusal;
  auto reader = admitted.to->handle_stream(std::move(admitted.ask));
  auto settle = [this] { // lets every reply and every rest that waits go, until nothing does
    for (int rounds = 0; rounds < 100'000 && (!entities.held.empty() || !delayed.empty());
         ++rounds) {
      if (!entities.held.empty())
        entities.let_go();
      else
        run_delayed();
    }
  };
  bool whole = complete;
  for (std::size_t at = 0; at < what.body.size(); at += piece) {
    std::optional<bool> word;
    reader->on_bytes(std::string_view(what.body).substr(at, piece), [&](bool go) { word = go; });
    if (!word)
      settle();
    EXPECT_TRUE(word.has_value()) << "the reader never said whether to go on";
    if (!word.value_or(false)) {
      whole = false;
      break;
    }
  }
  auto box = std::make_shared<mail>();
  reader->finish(whole, to(box));
  reader.reset();
  settle();
  return taken(box);
}

void rest_test_bed::run_delayed() {
  auto now = std::exchange(delayed, {});
  for (auto& then : now) {
    time.pass(std::chrono::milliseconds(100));
    then();
  }
}

std::vector<std::vector<std::int64_t>> rest_test_bed::pages(const std::string& path,
                                                            const std::string& name) {
  std::vector<std::vector<std::int64_t>> out;
  const auto mark = '"' + name + "\":";
  std::string cursor;
  while (out.size() < most_pages) {
    auto r = get(path + (cursor.empty() ? "" : "&cursor=" + cursor));
    EXPECT_EQ(r.status, 200u) << r.body;
    auto& page = out.emplace_back();
    for (auto at = r.body.find(mark); at != std::string::npos; at = r.body.find(mark, at + 1))
      page.push_back(std::stoll(r.body.substr(at + mark.size())));
    cursor = rest::view_fields(r.body).text("next");
    if (cursor.empty())
      return out;
  }
  ADD_FAILURE() << path << " never ends";
  return out;
}

std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& pages) {
  std::vector<std::int64_t> out;
  for (auto& page : pages)
    out.insert(out.end(), page.begin(), page.end());
  return out;
}

void rest_test_bed::show_settlement(const uuid& id, std::uint32_t from_no, std::uint32_t to_no) {
  pb::SettlementState s;
  s.set_status(pb::SETTLEMENT_REQUESTED);
  s.mutable_details()->set_vendor(id_of("vendor").raw());
  s.mutable_details()->set_project(id_of("project").raw());
  s.set_currency("NPR");
  s.mutable_quote()->set_from_no(from_no);
  s.mutable_quote()->set_to_no(to_no);
  entities.show({"settlement", id}, rest::view_of(s, {"settlement", id}, 1));
}

void rest_test_bed::give_receipts(int count) {
  queries.on_list = [count](const list_query& q) {
    page out;
    auto no = q.cursor.empty() ? count : std::stoi(q.cursor);
    for (; no > 0 && out.items.size() < q.limit; --no)
      out.items.push_back(R"({"no":)" + std::to_string(no) + R"(,"currency":")" +
                          (no % 3 ? "NPR" : "USD") + "\"}");
    if (no > 0)
      out.next = std::to_string(no);
    return out;
  };
}

std::string header(const http::response& r, const std::string& name) {
  for (auto& [key, value] : r.headers)
    if (key == name)
      return value;
  return "";
}

std::string problem_code(const http::response& r) {
  return rest::view_fields(r.body).text("code");
}

std::string problem_field(const http::response& r) {
  return rest::view_fields(r.body).text("field");
}

uuid id_of(const std::string& name) {
  return derive_id({"test", name});
}

} // namespace rahat::test
