#pragma once

#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_process.hpp"

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace rahat::test {

namespace json = boost::json;

/// Readers that throw with the whole document in the message, so that a failed test shows it.
std::string text(const json::value& of, std::string_view name);
std::int64_t number(const json::value& of, std::string_view name);
const json::array& items(const json::value& of);
json::value parse(const http_reply& reply);

/// A key that was not used before in this process.
std::string fresh_key();

/// One person with a token. Follows the node when it comes back on another port.
class user {
public:
  user(const node_process& node, std::string token) : node_(&node), token_(std::move(token)) {}

  /// One try, any outcome.
  http_reply send(std::string_view method, const std::string& path, std::string_view body = {},
                  header_list more = {}) const;

  http_reply try_get(const std::string& path, header_list more = {}) const {
    return send("GET", path, {}, std::move(more));
  }
  /// With a fresh Idempotency-Key unless one is given.
  http_reply try_post(const std::string& path, const json::value& body,
                      const std::string& key = {}) const;

  /// Until there is a 2xx; throws at any other answer.
  json::value get(const std::string& path) const;
  json::value post(const std::string& path, const json::value& body = json::object{}) const;

  /// As a careful client: sends the same request with the same key again while there is no answer
  /// or one that says to come back, up to `limit`. Throws at a refusal.
  json::value insist(const std::string& path, const json::value& body,
                     std::chrono::seconds limit = std::chrono::seconds{90}) const;

  /// Looks again, through failures, until `done`; throws with the last document after `limit`.
  json::value follow(const std::string& path, const std::function<bool(const json::value&)>& done,
                     std::chrono::milliseconds limit = patience, int pause_ms = 10) const;

  const std::string& token() const { return token_; }

private:
  const node_process* node_;
  std::string token_;
};

/// The people of an aid organisation, one a role.
struct office {
  explicit office(const node_process& node);

  const node_process& node;
  user maker;
  user checker;
  user operator_;
  user reader;

  static std::string token_for(const node_process& node, const std::string& name,
                               const std::string& role);
  /// A GET on the internal listener with the admin's token.
  http_reply internal(std::string_view method, const std::string& path,
                      std::string_view body = {}) const;

  std::string active_project(const std::string& currency = "NPR") const;
  void fund(const std::string& project, std::int64_t amount_minor,
            const std::string& currency = "NPR") const;
  /// Uploads a register and waits until its batches are there.
  std::string import(const std::string& project, const std::string& body,
                     const std::string& content_type = "text/csv",
                     const std::string& mode = "all") const;
  std::string verified_vendor(const std::string& name) const;
  std::string draft(const std::string& project, std::int64_t amount_each_minor) const;
  /// Waits for a status of a disbursement and returns it; throws when it comes to a wrong one.
  json::value until(const std::string& disbursement, const std::string& status,
                    std::chrono::milliseconds limit = patience) const;
  /// From draft to completed.
  json::value pay_out(const std::string& disbursement) const;
};

/// external_ref,name,phone,household_size,amount_minor,ward of `count` households, amounts 1000 to
/// 1006.
std::string register_csv(std::size_t count, const std::string& prefix = "HH");
std::int64_t register_sum(std::size_t count);

} // namespace rahat::test
