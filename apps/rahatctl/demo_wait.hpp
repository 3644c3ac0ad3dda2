#pragma once

#include "apps/rahatctl/interrupt.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace rahat::ctl {

/// Looks every 100 ms until `done` likes what it sees, and gives that back. Throws
/// std::runtime_error that names `what` and shows the last look when `limit` has passed, and
/// `interrupted` after a signal.
template <class Look, class Done>
boost::json::value wait_until(const std::string& what, std::chrono::milliseconds limit, Look look,
                              Done done) {
  constexpr std::chrono::milliseconds every{100};
  constexpr std::size_t shown = 400; // characters of the last look
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    interrupt_guard::check();
    boost::json::value view = look();
    if (done(view))
      return view;
    if (std::chrono::steady_clock::now() >= end)
      throw std::runtime_error("waited " + std::to_string(limit.count() / 1'000) +
                               " s in vain until " + what + "; the last answer was " +
                               boost::json::serialize(view).substr(0, shown));
    std::this_thread::sleep_for(every); // a signal ends it early
  }
}

} // namespace rahat::ctl
