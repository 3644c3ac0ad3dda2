#pragma once

#include "gateways/http/router.hpp"
#include "gateways/rest/routes.hpp"
#include "persistence/memory/hand_clock.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// Stand-ins for everything behind the resources, and a caller in front of them.
namespace rahat::test {

/// Entities that answer what a test told them to, at once unless `hold` is set.
class fake_entities final : public rahat::entities {
public:
  using outcome = std::variant<wire::Reply, error>;

  void ask(rahat::request r, reply_callback done) override;
  void look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
            view_callback done) override;

  /// Decides about each command; the default answers 200 with {"id":"<target>"}.
  std::function<outcome(const rahat::request&)> decide;
  std::map<entity_ref, entity_view> views;
  std::optional<error> look_error;

  bool hold = false;
  std::deque<std::function<void()>> held; // replies that wait for the test
  void let_go();                          // all that are held now

  std::vector<rahat::request> asked;
  std::size_t in_flight = 0;
  std::size_t most_in_flight = 0;

  void show(const entity_ref& what, std::string json, std::uint64_t version = 7);
};

class fake_queries final : public rahat::queries {
public:
  void list(list_query q, callback<page> done) override;
  void document(std::string kind, uuid id, callback<std::string> done) override;
  void lines(uuid list, std::int64_t after, std::uint32_t limit,
             callback<std::vector<stored_line>> done) override;
  void rows(uuid upload, std::vector<std::uint32_t> ordinals,
            callback<std::vector<stored_row>> done) override;
  void upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                     callback<std::vector<stored_error>> done) override;

  std::vector<list_query> listed;
  std::function<std::variant<page, error>(const list_query&)> on_list;
  std::map<std::pair<std::string, uuid>, std::string> documents;
  std::map<uuid, std::vector<stored_line>> pay_lists;
  std::map<uuid, std::vector<stored_row>> uploads;
  std::map<uuid, std::vector<stored_error>> errors;
  std::optional<error> failure;
};

/// The whole resource layer with fakes behind it. One thread.
class rest_test_bed {
public:
  rest_test_bed();

  struct call {
    std::string verb = "GET";
    std::string target;
    std::string body = "";
    std::string role = "admin";
    std::string key = "key-1";
    std::string if_match = "";
    std::string if_none_match = "";
    std::string content_type = "application/json";
    std::string user = "asha";
  };

  /// Routes, authorises and handles one request.
  http::response send(const call& what);
  http::response get(const std::string& target, const std::string& role = "reader");
  http::response post(const std::string& target, const std::string& body,
                      const std::string& role = "admin");

  /// Streams a body in pieces of `piece` bytes; `complete` false breaks it off at its end.
  http::response stream(const call& what, std::size_t piece = 64 * 1024, bool complete = true);

  /// The numbers called `name` on each page of a list, to its end. The path has a query already.
  std::vector<std::vector<std::int64_t>> pages(const std::string& path, const std::string& name);

  /// A settlement that was requested: its quote covers these of its vendor's receipts.
  void show_settlement(const uuid& id, std::uint32_t from_no, std::uint32_t to_no);

  /// Its vendor has receipts 1 to `count`; every third is in another currency.
  void give_receipts(int count);

  /// Runs what was put off with rest_context::after.
  void run_delayed();

  fake_entities entities;
  fake_queries queries;
  hand_clock time{1'795'219'200'000'000}; // 2026-11-21T00:00:00Z
  system_random dice;
  sealer trust;
  std::deque<std::function<void()>> delayed;
  rest::upload_limits limits;

  http::router& routes();

private:
  http::admission admit(const call& what);

  std::unique_ptr<http::router> router_;
};

std::string header(const http::response& r, const std::string& name);

/// The last part of a problem's type, "" if it is none.
std::string problem_code(const http::response& r);
std::string problem_field(const http::response& r);

uuid id_of(const std::string& name);

std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& pages);

} // namespace rahat::test
