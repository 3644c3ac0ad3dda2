#include "runtime/decider/error.hpp"

namespace rahat {

std::string_view to_string(errc code) {
  switch (code) {
    case errc::invalid_input: return "invalid_input";
    case errc::malformed_body: return "malformed_body";
    case errc::unsupported_media: return "unsupported_media";
    case errc::body_too_large: return "body_too_large";
    case errc::unauthenticated: return "unauthenticated";
    case errc::forbidden: return "forbidden";
    case errc::idempotency_key_missing: return "idempotency_key_missing";
    case errc::idempotency_key_reused: return "idempotency_key_reused";
    case errc::idempotency_key_in_flight: return "idempotency_key_in_flight";
    case errc::precondition_failed: return "precondition_failed";
    case errc::not_found: return "not_found";
    case errc::already_exists: return "already_exists";
    case errc::wrong_status: return "wrong_status";
    case errc::maker_is_checker: return "maker_is_checker";
    case errc::digest_changed: return "digest_changed";
    case errc::wrong_currency: return "wrong_currency";
    case errc::insufficient_funds: return "insufficient_funds";
    case errc::limit_exceeded: return "limit_exceeded";
    case errc::wrong_code: return "wrong_code";
    case errc::code_expired: return "code_expired";
    case errc::code_exhausted: return "code_exhausted";
    case errc::batch_frozen: return "batch_frozen";
    case errc::project_not_active: return "project_not_active";
    case errc::vendor_not_active: return "vendor_not_active";
    case errc::lines_rejected: return "lines_rejected";
    case errc::overloaded: return "overloaded";
    case errc::timed_out: return "timed_out";
    case errc::unavailable: return "unavailable";
    case errc::parked: return "parked";
    case errc::not_ready: return "not_ready";
    case errc::internal: return "internal";
    case errc::moved: return "moved";
  }
  return "internal";
}

bool is_retryable(errc code) {
  switch (code) {
    case errc::overloaded:
    case errc::timed_out:
    case errc::unavailable:
    case errc::not_ready:
    case errc::moved:
    case errc::idempotency_key_in_flight: return true;
    default: return false;
  }
}

} // namespace rahat
