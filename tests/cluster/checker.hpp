#pragma once

#include "tests/cluster/load.hpp"
#include "tests/cluster/payments.hpp"

#include <string>
#include <vector>

namespace rahat::test {

/// What has to hold of a cluster that is well again and at rest, whatever happened to it before.
/// Each returns a sentence a fault, and nothing when there is none.
struct checker {
  cluster_process& cluster;
  const people& who;
  history& book;

  /// Every key that was accepted gets its first answer again, through any node; a request that was
  /// given up is asked once more, and must be accepted now.
  std::vector<std::string> one_outcome_a_key() const;

  /// Projects hold the sum of the fundings that were accepted under one key each: by their own
  /// word, and by the transfers in the database.
  std::vector<std::string> fundings_once() const;

  /// Every line of every list has exactly its transfer.
  std::vector<std::string> lines_once(const payments& paid) const;

  /// Owners' totals, the hash chain, the node's own audit and recount; nothing is parked.
  std::vector<std::string> books_and_chain() const;

  /// All of them.
  std::vector<std::string> everything(const payments* paid) const;
};

} // namespace rahat::test
