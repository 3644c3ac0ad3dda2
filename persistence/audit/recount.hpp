#pragma once

#include "persistence/audit/follower.hpp"

#include <functional>
#include <mutex>

namespace rahat::audit {

/// Adds up every transfer from the first one on, by the accounts' owners and not by what the
/// journal names, so that it checks the follower as well, and compares with what the owners know at
/// the same moment. `lock` guards `books` and is held only until the moment is fixed; `wait(count)`
/// is called after each page of so many transfers and ends the recount by throwing.
books_report recount(const audit_options& how, follower& books, std::mutex& lock,
                     const std::function<void(std::uint64_t transfers)>& wait);

} // namespace rahat::audit
