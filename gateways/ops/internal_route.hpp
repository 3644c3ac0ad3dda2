#pragma once

#include "gateways/http/handler.hpp"

#include <boost/json/value.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <variant>

/// What the internal listener's routes share.
namespace rahat::ops {

/// Rows of one page of a list; the rest comes with its `next` as ?cursor=.
inline constexpr std::uint32_t max_rows = 1'000;

/// A worker's queue: runs the job later, or drops it (its responder then answers 503).
using queue = std::function<void(std::function<void()>)>;

/// A route for operators, without a body.
http::route internal_route(http::method verb, std::string pattern, std::string summary,
                           std::function<void(http::request, http::responder)> handle);

http::response json_reply(const boost::json::value& body, unsigned status = 200);

/// Runs `work`, which may block, on the worker and answers with what it returns.
template <class Work>
void answer_later(const queue& worker, http::responder done, Work work) {
  worker([done = std::move(done), work = std::move(work)] {
    try {
      done(work());
    } catch (const std::exception& e) {
      done(http::problem({errc::unavailable, e.what(), {}}));
    }
  });
}

/// The parameters of a list: ?limit= (1 to `max_rows`, which is what comes without it) and ?cursor=
/// ("" at the beginning).
struct page_ask {
  std::uint32_t limit = max_rows;
  std::string cursor;
};
std::variant<page_ask, error> page_of(const http::request& from);
std::vector<http::route::parameter> page_parameters();

/// What a cursor is refused with that no former page gave.
error unknown_cursor();

} // namespace rahat::ops
