#include "gateways/rest/upload_flow.hpp"

#include "actors/upload/upload.pb.h"
#include "fakes.hpp"
#include "gateways/rest/staging.hpp"
#include "gateways/rest/view_fields.hpp"
#include "runtime/decider/account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;

namespace {

/// An upload entity as far as the edge sees it: remembers ids and hashes, wants chunks in order.
class fake_upload {
public:
  std::string status; // "" before it was opened
  std::uint32_t chunks = 0;
  std::uint32_t rows = 0;
  std::uint32_t errors = 0;
  std::string reason;
  std::uint32_t commands = 0;
  std::map<uuid, std::pair<std::uint64_t, wire::Reply>> known;
  std::function<std::optional<error>(const pb::UploadCommand&)> fault; // before anything else
  std::function<std::optional<error>(const pb::UploadCommand&)> lost;  // after it was done

  fake_entities::outcome decide(const rahat::request& r) {
    ++commands;
    pb::UploadCommand c;
    EXPECT_TRUE(c.ParseFromString(r.command));
    if (auto why = fault ? fault(c) : std::nullopt)
      return *why;
    if (auto found = known.find(r.id); found != known.end()) {
      if (found->second.first != r.payload_hash)
        return error{errc::idempotency_key_reused, "other content", "Idempotency-Key"};
      return found->second.second;
    }
    if (auto why = refuse(c))
      return *why;
    apply(c);
    wire::Reply reply;
    reply.set_status(200);
    reply.set_version(++version_);
    reply.set_body(view(r.target.id));
    known[r.id] = {r.payload_hash, reply};
    if (auto why = lost ? lost(c) : std::nullopt)
      return *why;
    return reply;
  }

  std::string view(const uuid& id) const {
    return R"({"id":")" + id.str() + R"(","status":")" + status + "\"}";
  }

private:
  std::optional<error> refuse(const pb::UploadCommand& c) const {
    if (c.has_open())
      return status.empty() ? std::nullopt
                            : std::optional(error{errc::already_exists, "exists", {}});
    if (status != "receiving")
      return error{errc::wrong_status, "takes no more rows", {}};
    if (c.has_stage() && c.stage().chunk() != chunks)
      return error{errc::wrong_status, "chunks come in order", {}};
    if (c.has_close() && c.close().chunks() != chunks)
      return error{errc::wrong_status, "chunks are missing", {}};
    return std::nullopt;
  }

  void apply(const pb::UploadCommand& c) {
    if (c.has_open())
      status = "receiving";
    if (c.has_stage()) {
      ++chunks;
      rows += static_cast<std::uint32_t>(c.stage().rows_size());
      errors += static_cast<std::uint32_t>(c.stage().errors_size());
    }
    if (c.has_close())
      status = "checking";
    if (c.has_abandon()) {
      status = "abandoned";
      reason = c.abandon().reason();
    }
  }

  std::uint64_t version_ = 0;
};

std::string csv_of(int rows, const std::string& name = "Asha") {
  std::string out = "external_ref,name\n";
  for (int i = 1; i <= rows; ++i)
    out += "HH-" + std::to_string(i) + "," + name + "\n";
  return out;
}

class upload_flow : public testing::Test {
protected:
  upload_flow() {
    bed.entities.decide = [this](const rahat::request& r) { return entity.decide(r); };
  }

  rest_test_bed::call file(std::string body, const std::string& type = "text/csv",
                           const std::string& query = "") {
    rest_test_bed::call c{"POST", path + query, std::move(body), "maker"};
    c.content_type = type;
    return c;
  }

  uuid upload_id() const {
    return created_id("upload", request_id_of("asha", "POST", path, "key-1"));
  }

  const std::string path = "/v2/projects/" + id_of("project").str() + "/uploads";
  rest_test_bed bed;
  fake_upload entity;
};

TEST_F(upload_flow, stages_a_register_and_answers_where_it_is) {
  auto r = bed.stream(file(csv_of(2'500), "text/csv", "?mode=skip-bad&file_name=r.csv"));
  ASSERT_EQ(r.status, 202u) << r.body;
  EXPECT_EQ(header(r, "Location"), "/v2/uploads/" + upload_id().str());
  EXPECT_NE(header(r, "ETag"), "");
  EXPECT_EQ(rest::view_fields(r.body).text("status"), "checking");
  EXPECT_EQ(entity.rows, 2'500u);
  EXPECT_EQ(entity.errors, 0u);
  EXPECT_GE(entity.chunks, 3u);
  pb::UploadCommand open;
  open.ParseFromString(bed.entities.asked.front().command);
  EXPECT_EQ(open.open().project(), id_of("project").raw());
  EXPECT_EQ(open.open().mode(), pb::UPLOAD_SKIP_BAD);
  EXPECT_EQ(open.open().file_name(), "r.csv");
  EXPECT_EQ(open.open().content_type(), "text/csv");
  for (auto& ask : bed.entities.asked)
    EXPECT_EQ(ask.target, (entity_ref{"upload", upload_id()}));
}

TEST_F(upload_flow, reads_all_three_types) {
  EXPECT_EQ(
      bed.stream(file("{\"external_ref\":\"1\"}\n{\"external_ref\":\"2\"}", "application/x-ndjson"))
          .status,
      202u);
  EXPECT_EQ(entity.rows, 2u);
  entity = {};
  EXPECT_EQ(bed.stream(file("[{\"external_ref\":\"1\"}]", "application/json")).status, 202u);
  EXPECT_EQ(entity.rows, 1u);
  EXPECT_EQ(bed.stream(file("x", "text/plain")).status, 415u);
}

TEST_F(upload_flow, bad_rows_are_staged_as_errors) {
  auto r = bed.stream(file("external_ref,phone\n1,98x\n,12345\n3,\xff\n4,12345\n"));
  EXPECT_EQ(r.status, 202u) << "whether they refuse the file is the upload's rule";
  EXPECT_EQ(entity.rows, 1u);
  EXPECT_EQ(entity.errors, 3u);
}

TEST_F(upload_flow, a_file_that_breaks_is_abandoned_whole) {
  auto r = bed.stream(file(csv_of(3'000) + "HH-x,\"never closed\n"));
  EXPECT_EQ(r.status, 400u) << r.body;
  EXPECT_EQ(problem_code(r), "malformed_body");
  EXPECT_THAT(r.body, HasSubstr("row 3001"));
  EXPECT_EQ(entity.status, "abandoned");
  EXPECT_THAT(entity.reason, HasSubstr("row 3001"));
  // The same again gives the same answer.
  auto again = bed.stream(file(csv_of(3'000) + "HH-x,\"never closed\n"));
  EXPECT_EQ(again.body, r.body);
}

TEST_F(upload_flow, a_stage_that_is_refused_abandons_the_upload) {
  entity.fault = [](const pb::UploadCommand& c) -> std::optional<error> {
    if (c.has_stage() && c.stage().chunk() == 1)
      return error{errc::limit_exceeded, "that is too many rows", {}};
    return std::nullopt;
  };
  auto r = bed.stream(file(csv_of(5'000)));
  EXPECT_EQ(problem_code(r), "limit_exceeded") << r.body;
  EXPECT_EQ(entity.status, "abandoned") << "and not `receiving` for an hour";
  EXPECT_EQ(entity.reason, "that is too many rows");
}

TEST_F(upload_flow, a_stage_of_another_file_does_not_abandon_the_first_one) {
  auto whole = csv_of(5'000);
  EXPECT_EQ(bed.stream(file(whole.substr(0, whole.size() / 2)), 4'096, false).status, 400u);
  ASSERT_EQ(entity.status, "receiving");
  auto other = bed.stream(file(csv_of(5'000, "Bina")));
  EXPECT_EQ(problem_code(other), "idempotency_key_reused") << other.body;
  EXPECT_EQ(entity.status, "receiving");
  EXPECT_EQ(bed.stream(file(whole)).status, 202u);
}

TEST_F(upload_flow, a_file_that_breaks_early_creates_nothing) {
  for (auto& body : {"", "name\nx\n", "external_ref,external_ref\n1,2\n", "external_ref\n"}) {
    auto r = bed.stream(file(body));
    EXPECT_EQ(r.status, 400u) << body << r.body;
  }
  EXPECT_EQ(entity.commands, 0u);
}

TEST_F(upload_flow, bad_questions_are_refused_before_the_body_is_read) {
  EXPECT_EQ(problem_field(bed.stream(file(csv_of(1), "text/csv", "?mode=some"))), "mode");
  rest_test_bed::call c{"POST", "/v2/projects/42/uploads", csv_of(1), "maker"};
  c.content_type = "text/csv";
  EXPECT_EQ(bed.stream(c).status, 404u);
  auto no_key = file(csv_of(1));
  no_key.key = "";
  EXPECT_EQ(problem_code(bed.stream(no_key)), "idempotency_key_missing");
  EXPECT_EQ(entity.commands, 0u);
}

TEST_F(upload_flow, too_many_rows_or_bytes_end_it) {
  bed.limits.max_rows = 100;
  auto r = bed.stream(file(csv_of(101)));
  EXPECT_EQ(problem_code(r), "limit_exceeded");
  rest_test_bed small;
  small.limits.max_bytes = 20'000; // more than one chunk
  fake_upload other;
  small.entities.decide = [&](const rahat::request& ask) { return other.decide(ask); };
  auto too_big = small.stream(file(csv_of(3'000)), 1'000);
  EXPECT_EQ(problem_code(too_big), "body_too_large");
  EXPECT_EQ(other.status, "abandoned");
}

TEST_F(upload_flow, at_most_four_chunks_wait_and_reading_stops_meanwhile) {
  bed.entities.hold = true;
  auto r = bed.stream(file(csv_of(20'000)), 16 * 1024);
  EXPECT_EQ(r.status, 202u);
  EXPECT_EQ(entity.rows, 20'000u);
  EXPECT_EQ(bed.entities.most_in_flight, rest::staging_window);
}

TEST_F(upload_flow, a_busy_entity_is_asked_again) {
  int refusals = 0;
  entity.fault = [&](const pb::UploadCommand&) -> std::optional<error> {
    if (++refusals % 3 == 0)
      return error{errc::overloaded, "busy", {}};
    return std::nullopt;
  };
  for (bool hold : {false, true}) {
    entity.status.clear();
    entity.known.clear();
    entity.chunks = entity.rows = 0;
    bed.entities.hold = hold;
    auto r = bed.stream(file(csv_of(9'000)), 64 * 1024);
    EXPECT_EQ(r.status, 202u) << r.body;
    EXPECT_EQ(entity.rows, 9'000u);
  }
}

TEST_F(upload_flow, a_lost_reply_does_not_stage_twice) {
  int n = 0;
  entity.lost = [&](const pb::UploadCommand&) -> std::optional<error> {
    return ++n % 2 == 0 ? std::optional(error{errc::unavailable, "the reply was lost", {}})
                        : std::nullopt;
  };
  bed.entities.hold = true;
  auto r = bed.stream(file(csv_of(9'500)));
  EXPECT_EQ(r.status, 202u) << r.body;
  EXPECT_EQ(entity.rows, 9'500u);
}

TEST_F(upload_flow, patience_ends) {
  entity.fault = [](const pb::UploadCommand& c) -> std::optional<error> {
    if (c.has_stage() && c.stage().chunk() == 1)
      return error{errc::unavailable, "the store is down", {}};
    return std::nullopt;
  };
  auto r = bed.stream(file(csv_of(5'000)));
  EXPECT_EQ(r.status, 503u);
  EXPECT_EQ(entity.status, "receiving") << "a retry may go on";
  entity.fault = nullptr;
  EXPECT_EQ(bed.stream(file(csv_of(5'000))).status, 202u);
  EXPECT_EQ(entity.rows, 5'000u);
}

TEST_F(upload_flow, a_retry_gets_the_same_answer) {
  auto first = bed.stream(file(csv_of(2'500)));
  auto again = bed.stream(file(csv_of(2'500)), 777);
  EXPECT_EQ(first.status, 202u);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(header(again, "Location"), header(first, "Location"));
  EXPECT_EQ(entity.rows, 2'500u);
}

TEST_F(upload_flow, other_content_under_the_same_key_is_refused) {
  EXPECT_EQ(bed.stream(file(csv_of(2'500))).status, 202u);
  for (auto& other : {csv_of(2'500, "Bina"), csv_of(2'000), csv_of(500), csv_of(9'000)}) {
    auto r = bed.stream(file(other));
    EXPECT_EQ(r.status, 422u) << r.body;
    EXPECT_EQ(problem_code(r), "idempotency_key_reused");
  }
  EXPECT_EQ(problem_code(bed.stream(file(csv_of(2'500), "text/csv", "?mode=skip-bad"))),
            "idempotency_key_reused");
  EXPECT_EQ(entity.status, "checking") << "the first upload is not harmed";
}

TEST_F(upload_flow, more_rows_than_the_first_time_are_other_content) {
  // A file of whole chunks, then the same with more: every chunk of the first is a replay.
  auto exact = csv_of(2'000);
  EXPECT_EQ(bed.stream(file(exact)).status, 202u);
  bed.entities.show({"upload", upload_id()}, entity.view(upload_id()));
  auto r = bed.stream(file(exact + "HH-new,Chandra\n"));
  EXPECT_EQ(r.status, 422u) << r.body;
  EXPECT_EQ(problem_code(r), "idempotency_key_reused");
}

TEST_F(upload_flow, a_connection_that_breaks_can_be_taken_up_again) {
  auto whole = csv_of(5'000);
  auto r = bed.stream(file(whole.substr(0, whole.size() / 2)), 4'096, false);
  EXPECT_EQ(r.status, 400u);
  EXPECT_EQ(entity.status, "receiving");
  EXPECT_EQ(bed.stream(file(whole)).status, 202u);
  EXPECT_EQ(entity.rows, 5'000u);
}

TEST_F(upload_flow, what_the_project_says_stops_the_upload) {
  entity.fault = [](const pb::UploadCommand&) -> std::optional<error> {
    return error{errc::project_not_active, "the project is closed", {}};
  };
  auto r = bed.stream(file(csv_of(5'000)), 1'000);
  EXPECT_EQ(r.status, 409u);
  EXPECT_EQ(problem_code(r), "project_not_active");
  EXPECT_EQ(entity.commands, 1u) << "neither rows nor an abandonment are sent after that";
}

TEST_F(upload_flow, an_abandoned_upload_asks_for_a_new_key) {
  EXPECT_EQ(bed.stream(file(csv_of(10) + "\"")).status, 400u);
  entity.status = "abandoned";
  bed.entities.show({"upload", upload_id()}, R"({"status":"abandoned"})");
  auto whole = csv_of(10);
  entity.known.clear();
  entity.fault = [&](const pb::UploadCommand& c) -> std::optional<error> {
    return c.has_stage() ? std::optional(error{errc::wrong_status, "abandoned", {}}) : std::nullopt;
  };
  entity.status.clear();
  auto r = bed.stream(file(whole));
  EXPECT_EQ(r.status, 409u);
  EXPECT_THAT(r.body, HasSubstr("new Idempotency-Key"));
}

TEST_F(upload_flow, an_upload_that_does_not_exist_yet_has_no_version) {
  for (auto tag : {"*", "\"7\""}) {
    auto c = file(csv_of(5));
    c.if_match = tag;
    entity.fault = [](const pb::UploadCommand&) {
      return error{errc::precondition_failed, "there is nothing yet", "If-Match"};
    };
    auto r = bed.stream(c);
    EXPECT_EQ(r.status, 412u) << r.body;
    auto& open = bed.entities.asked.back();
    EXPECT_EQ(open.target.kind, "upload");
    ASSERT_TRUE(open.if_match);
    EXPECT_FALSE(open.if_match->any);
    EXPECT_TRUE(open.if_match->versions.empty());
  }
  bed.entities.asked.clear();
  entity.fault = nullptr;
  EXPECT_EQ(bed.stream(file(csv_of(5))).status, 202u);
  for (auto& ask : bed.entities.asked)
    EXPECT_FALSE(ask.if_match);
}

TEST_F(upload_flow, errors_are_listed_by_row) {
  bed.entities.show({"upload", id_of("u")}, "{}");
  auto& errors = bed.queries.errors[id_of("u")];
  for (std::uint32_t row = 1; row <= 30; ++row)
    for (int i = 0; i < 2; ++i)
      errors.push_back({row, i ? "phone" : "", "is wrong"});
  auto base = "/v2/uploads/" + id_of("u").str() + "/errors";
  std::string cursor;
  std::size_t seen = 0;
  for (int pages = 0; pages < 20; ++pages) {
    auto r = bed.get(base + "?limit=15" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(r.status, 200u);
    for (auto at = r.body.find("\"row\""); at != std::string::npos;
         at = r.body.find("\"row\"", at + 1))
      ++seen;
    cursor = rest::view_fields(r.body).text("next");
    if (cursor.empty())
      break;
  }
  EXPECT_EQ(seen, errors.size());
  EXPECT_EQ(bed.get(base + "?cursor=x").status, 422u);
}

/// Answers from a thread of its own, as hosts do.
class distant_entities final : public rahat::entities {
public:
  explicit distant_entities(fake_upload& entity) : entity_(entity), worker_([this] { run(); }) {}

  ~distant_entities() override {
    {
      std::lock_guard held(mutex_);
      stop_ = true;
    }
    more_.notify_one();
    worker_.join();
  }

  void ask(rahat::request r, reply_callback done) override {
    {
      std::lock_guard held(mutex_);
      asked_.emplace_back(std::move(r), std::move(done));
    }
    more_.notify_one();
  }

  void look(const entity_ref&, std::chrono::steady_clock::time_point, view_callback done) override {
    done(error{errc::not_found, "none", {}});
  }

private:
  void run() {
    std::unique_lock held(mutex_);
    for (;;) {
      more_.wait(held, [this] { return stop_ || !asked_.empty(); });
      if (asked_.empty())
        return;
      auto [ask, done] = std::move(asked_.front());
      asked_.pop_front();
      held.unlock();
      done(entity_.decide(ask));
      held.lock();
    }
  }

  fake_upload& entity_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::pair<rahat::request, reply_callback>> asked_;
  bool stop_ = false;
  std::thread worker_;
};

TEST_F(upload_flow, replies_may_come_from_any_thread) {
  int n = 0;
  entity.fault = [&](const pb::UploadCommand&) -> std::optional<error> {
    return ++n % 7 == 0 ? std::optional(error{errc::overloaded, "busy", {}}) : std::nullopt;
  };
  std::promise<http::response> answer;
  auto answered = answer.get_future();
  {
    distant_entities distant(entity);
    rest::rest_context context{
        distant, bed.queries, bed.time, bed.trust, [](auto, std::function<void()> then) { then(); },
        {}};
    http::request from;
    from.verb = http::method::post;
    from.path = path;
    from.content_type = "text/csv";
    from.who = {"asha", "maker"};
    from.idempotency_key = "key-1";
    auto reader = rest::upload_reader(std::make_shared<const rest::rest_context>(context), from,
                                      {id_of("project"), false, ""});
    auto body = csv_of(30'000);
    for (std::size_t at = 0; at < body.size(); at += 8'192) {
      std::promise<bool> word;
      auto said = word.get_future();
      reader->on_bytes(std::string_view(body).substr(at, 8'192),
                       [&](bool go) { word.set_value(go); });
      ASSERT_EQ(said.wait_for(std::chrono::seconds(20)), std::future_status::ready);
      ASSERT_TRUE(said.get());
    }
    reader->finish(true,
                   http::responder([&](http::response r) { answer.set_value(std::move(r)); }));
    ASSERT_EQ(answered.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  }
  EXPECT_EQ(answered.get().status, 202u);
  EXPECT_EQ(entity.rows, 30'000u);
}

} // namespace
