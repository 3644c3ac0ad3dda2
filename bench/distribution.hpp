#pragma once

#include "bench/api.hpp"
#include "bench/bench.hpp"

#include <cstdint>
#include <string>

namespace rahat::bench {

/// A project with an imported register, over which one disbursement after the other can be made.
/// Follows by asking over HTTP, as a client would.
class distribution {
public:
  /// Makes the project and imports `lines` households of the example register.
  distribution(api& node, const settings& how, std::uint64_t lines);

  /// Funds and drafts a disbursement for everybody and locks it; gives the seconds of locking.
  double lock();

  /// A second person's approval, then pays; the clock runs from the approved disbursement to the
  /// completed one, when every wallet's owner has booked its lines.
  double approve_and_pay();

  /// The two halves of the same, for whoever does something in between.
  void approve();
  void begin_pay();
  double wait_completed(double began);

  /// As the node tells it.
  std::uint64_t lines_paid();
  bool completed();

  /// How many of its transfers are in the books, counted by Postgres.
  std::uint64_t transfers() const;

  /// The purpose that its transfers carry.
  std::string list() const;
  std::uint64_t lines() const { return lines_; }

private:
  std::string path() const { return "/v2/disbursements/" + disbursement_; }

  api& node_;
  std::uint64_t lines_ = 0;
  std::int64_t amount_minor_ = 0;
  std::string project_;
  std::string disbursement_;
  std::string digest_;
};

} // namespace rahat::bench
