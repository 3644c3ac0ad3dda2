#pragma once

#include "persistence/audit/book_delta.hpp"
#include "persistence/audit/options.hpp"
#include "runtime/ports/audit.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <string>

namespace rahat::audit {

/// Where one look has come to.
struct fold_result {
  std::uint64_t rows = 0;   // folded now
  std::uint64_t behind = 0; // rows up to the heads that were not folded
};

/// What owners know at one moment.
struct books_basis {
  struct standing {
    std::int64_t known_minor = 0;
    std::int64_t unapplied_minor = 0;
  };

  std::int64_t at_us = 0;
  std::map<purse, standing> purses;
};

/// Follows the journal and compares the books. One thread at a time; its own connection, made when
/// it is needed and made anew after a failure.
///
/// One look is one REPEATABLE READ transaction: it folds what lies between the watermarks and the
/// heads of that moment, moves the watermarks, and compares with `owned_total` of the same moment.
/// So the books are exact at any time, in the middle of a payment as well.
class follower {
public:
  follower(const audit_options& how, const clock& time, audit_probe& probe);
  ~follower();

  /// Folds at most `fold_rows` rows and compares if that reached the heads.
  books_report look();

  /// The same without comparing: costs nothing when nothing moved.
  fold_result fold();

  /// Folds to the heads and says what the owners know there. `meanwhile` gets the name of that
  /// moment's snapshot, to be taken by another transaction before `meanwhile` returns.
  books_basis basis(const std::function<void(const std::string& snapshot)>& meanwhile);

private:
  template <class Result, class Step>
  Result again(Step step);
  pqxx::connection& connection();

  const audit_options& how_;
  const clock& time_;
  audit_probe& probe_;
  std::unique_ptr<pqxx::connection> connection_;
};

} // namespace rahat::audit
