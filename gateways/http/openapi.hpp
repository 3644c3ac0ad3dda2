#pragma once

#include "gateways/http/handler.hpp"

#include <string>
#include <vector>

namespace rahat::http {

struct openapi_info {
  std::string title = "Rahat";
  std::string version = "2";
  std::string description;
  std::string server_url = "/";
  std::string live_path =
      "/v2/live"; // the WebSocket, which no row of the table describes; "": none
  std::vector<std::string> open_paths = {"/health", "/readiness", "/metrics"}; // need no token
};

/// The OpenAPI 3.1 document of a route table, as JSON text. Throws std::logic_error when a schema
/// in the table is not JSON: a programmer's mistake, found at start.
std::string openapi_document(const route_table& routes, const openapi_info& info);

/// Adds `GET /v2/openapi.json`, which serves the document of the whole table, itself included. Call
/// it last; the document is made once, here.
void add_openapi_route(route_table& routes, const openapi_info& info);

} // namespace rahat::http
