#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace rahat {

/// Why something was not done. The name is public and stable: it is the last part of the problem
/// `type` that a client sees (`https://rahat.io/problems/<name>`), see docs/api.md.
enum class errc {
  // The caller's mistake, found without looking at any entity.
  invalid_input,     // a field is missing, malformed or out of range
  malformed_body,    // the body is not JSON, CSV or UTF-8
  unsupported_media, // a content type that the route does not read
  body_too_large,    //
  unauthenticated,   // no token, or one that is not known
  forbidden,         // the token's role may not do this
  idempotency_key_missing,
  idempotency_key_reused,    // same key, other payload
  idempotency_key_in_flight, // same key, first request still running (an answer of the edge only)
  precondition_failed,       // If-Match named another version
  not_found,
  // A rule of the aid domain said no.
  already_exists,
  wrong_status,
  maker_is_checker,
  digest_changed,
  wrong_currency,
  insufficient_funds,
  limit_exceeded,
  wrong_code,
  code_expired,
  code_exhausted,
  batch_frozen,
  project_not_active,
  vendor_not_active,
  lines_rejected, // a disbursement's lines are in error, e.g. a person in two batches
  // The system's condition; all of these may be retried with the same key.
  overloaded,  // no credit left: Retry-After says when to try again
  timed_out,   // the deadline passed before the command was decided
  unavailable, // the entity's host or the store failed; the outcome is known after a retry
  parked,      // the entity cannot go on without an operator
  not_ready,   // the node's lease has lapsed or it is starting or draining
  // Ours.
  internal,
  // Between nodes, and retryable: the numbers stand in stored replies, so new ones come last.
  moved, // another node serves it, or will in a moment
};

/// The stable public name, e.g. "wrong_status".
std::string_view to_string(errc code);

/// An error as a value: a code for programs and one sentence that a field officer understands and
/// that says how to go on.
struct error {
  errc code = errc::internal;
  std::string message;
  std::string field; // the input field at fault, if one is
};

/// True for those after which the same request may be sent again with the same key.
bool is_retryable(errc code);

/// The value, where only a program that cannot go on has an error: thrown as a std::runtime_error
/// with its sentence behind `what`.
template <class T>
T value_or_throw(std::variant<T, error> result, std::string_view what) {
  if (auto* e = std::get_if<error>(&result))
    throw std::runtime_error(std::string{what} + ": " + e->message);
  return std::get<T>(std::move(result));
}

} // namespace rahat
