#pragma once

#include <cstdint>
#include <string_view>

namespace rahat {

/// Everything that hosts and the region count, as methods named after events. Thread-safe. The
/// default counts nothing; runtime/telemetry binds Prometheus.
class entity_probe {
public:
  virtual ~entity_probe() = default;
  virtual void host_started(std::string_view) {}
  virtual void host_stopped(std::string_view) {}
  virtual void host_recovered(std::string_view, double) {}
  virtual void host_restarted(std::string_view, std::string_view /*reason*/) {}
  virtual void entity_parked(std::string_view, std::string_view /*reason*/) {}
  virtual void turn_finished(std::string_view, std::string_view /*what*/,
                             std::string_view /*outcome*/, double) {}
  virtual void mail_posted(std::string_view) {}
  virtual void mail_taken(std::string_view) {}
  virtual void mail_refused(std::string_view, std::string_view /*reason*/) {}
  virtual void message_sent_again(std::string_view) {}
  virtual void dead_letter(std::string_view /*reason*/) {}
  virtual void request_repeated(std::string_view) {}
  virtual void transfers_committed(std::uint64_t /*count*/) {}
  virtual void message_applied(std::string_view, double /*seconds since it was decided*/) {}
};

} // namespace rahat
