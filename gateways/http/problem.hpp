#pragma once

#include "gateways/http/handler.hpp"

#include <span>
#include <string_view>

/// Refusals that the edge itself makes. They look like those of `problem(error)` and their types
/// are as stable, but no entity or decider ever gives one, so they are not in `errc`.
namespace rahat::http {

enum class edge_problem {
  bad_request,                // 400: not HTTP, or a path, query or header that cannot be read
  method_not_allowed,         // 405, with Allow
  not_acceptable,             // 406
  request_timeout,            // 408
  uri_too_long,               // 414
  expectation_failed,         // 417
  upgrade_required,           // 426
  header_too_large,           // 431
  not_implemented,            // 501: a method or transfer coding this server does not know
  http_version_not_supported, // 505
};

std::string_view to_string(edge_problem what);
unsigned status_of(edge_problem what);
std::string_view title_of(edge_problem what);
std::string_view title_of(errc code);

/// The problem document of a refusal by the edge. `field` names the header or query parameter at
/// fault, if one is.
response problem(edge_problem what, std::string_view detail, std::string_view field = {});

/// Every errc, in the order of its declaration: for the tables in docs and tests.
std::span<const errc> all_errcs();

std::span<const edge_problem> all_edge_problems();

/// Seconds after which a retryable request is worth sending again.
inline constexpr unsigned retry_after_seconds = 1;

} // namespace rahat::http
