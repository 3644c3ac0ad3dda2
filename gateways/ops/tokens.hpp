#pragma once

#include "gateways/ops/internal_route.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// Access tokens as administrators make, see and revoke them.
namespace rahat::ops {

struct token_ask {
  std::string asker; // who asks, by his own token
  std::string key;   // his Idempotency-Key: with the same one he gets the same token
  std::string user;
  std::string role;
};

struct made_token {
  std::string id; // says which one it is, without giving it away
  std::string token;
};

struct token_row {
  std::string id;
  std::string user;
  std::string role;
  std::int64_t created_us = 0;
  std::optional<std::int64_t> revoked_us;
};

struct token_page {
  std::vector<token_row> rows; // newest first
  std::string next;            // "": there are no more
};

/// What the routes are made of; supplied by the composition root. All of it blocks and is run on
/// `worker`.
struct token_desk {
  std::function<std::variant<made_token, error>(const token_ask&)> create;
  std::function<std::variant<token_page, error>(const page_ask&)> list;
  std::function<std::variant<token_row, error>(const std::string& id)> revoke;
};

http::route_table token_routes(token_desk desk, queue worker);

} // namespace rahat::ops
