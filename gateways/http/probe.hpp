#pragma once

#include "gateways/http/handler.hpp"

#include <string_view>

namespace rahat::http {

/// Which bound of the edge was met; each has a stated behaviour (server_options).
enum class limit {
  connections,     // answered 503 and closed
  header_bytes,    // 431
  target_length,   // 414
  body_bytes,      // 413
  in_flight_keys,  // 503: the table of running Idempotency-Keys is full
  header_deadline, // 408
  body_deadline,   // 408
  reply_deadline,  // 504
  send_deadline,   // connection cut
};

std::string_view to_string(limit what);

/// What the HTTP edge tells about itself. Called on the io threads, several at once: an
/// implementation is thread-safe and quick, and never throws.
class probe {
public:
  virtual ~probe() = default;

  /// A reply was written. `route` is the pattern ("/v2/projects/{id}") or "-" when none matched;
  /// `status` 499: the connection ended before the reply;
  /// `seconds` runs from the complete header to the reply handed to the kernel.
  virtual void request_finished(std::string_view route, method verb, unsigned status,
                                double seconds) = 0;

  virtual void connection_opened() = 0;
  virtual void connection_closed() = 0;
  virtual void request_started() = 0; // active requests = started - finished
  virtual void limit_hit(limit what) = 0;
  virtual void io_fault() = 0; // an exception reached an io thread
};

/// Counts nothing.
class silent_probe : public probe {
public:
  void request_finished(std::string_view, method, unsigned, double) override {}
  void connection_opened() override {}
  void connection_closed() override {}
  void request_started() override {}
  void limit_hit(limit) override {}
  void io_fault() override {}
};

} // namespace rahat::http
