#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/wire/wire.pb.h"

#include <google/protobuf/message.h>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rahat {

/// An amount of money moved between two accounts. Posted by the owner of the debited account;
/// immutable. (purpose, line) is its key for ever.
struct transfer {
  uuid purpose;
  uuid debit;
  uuid credit;
  std::int64_t amount_minor = 0; // > 0
  std::string currency;          // ISO 4217
  entity_ref credit_owner;       // told once it is committed, unless it is the decider itself
  std::string why;
  std::string reference;
};

/// The key of a transfer: hash(debited entity, why, the caller's id). A caller cannot collide with
/// ids that others derive, because the debited entity is part of it.
uuid purpose_of(const entity_ref& debited, std::string_view why, std::string_view callers_id);

/// Pays the lines [first, last] of one chunk: the store itself makes one transfer a line from the
/// rows that were locked and refuses when their digest is not the approved one.
struct line_payment {
  uuid disbursement;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  uuid debit;
  std::string currency;
  std::uint32_t count = 0;
  std::int64_t sum_minor = 0;
  digest lines_digest{}; // as in wire::TransferMark
  entity_ref credit_owner;
};

/// One line of a disbursement: what one household gets.
struct line_row {
  std::uint32_t no = 0;
  uuid person;
  uuid wallet;
  std::int64_t amount_minor = 0;
};

struct line_rows {
  uuid disbursement;
  entity_ref batch;
  std::vector<line_row> rows;
};

/// SHA-256 over the rows as the journal covers them; see wire::TransferMark.
digest digest_of(const std::vector<line_row>& rows);

/// One household of an upload, its personal fields sealed.
struct staged_row {
  std::uint32_t ordinal = 0; // dense over the good rows, from 0
  std::uint32_t row = 0;     // number in the file, from 1
  uuid person;
  std::int64_t amount_minor = 0; // 0: none given
  std::string sealed;            // serialised wire of runtime/trust: nonce + ciphertext
  std::string wrapped_key;       // the person's key under the master key
};

struct staged_error {
  std::uint32_t row = 0;
  std::string field;
  std::string message;
};

struct staged_rows {
  uuid upload;
  std::vector<staged_row> rows;
  std::vector<staged_error> errors;
};

/// A range of accounts of one owner. Wallets of a batch are one range; all others have first =
/// last.
struct account_range {
  uuid first;
  uuid last;
  uuid project;
  std::string currency;
  std::string role; // outside | budget | reserve | wallet | vendor
};

/// Columns by which lists are filtered and ordered.
struct query_keys {
  uuid project;
  uuid parent; // e.g. the vendor of a settlement
  std::string status;
  std::int64_t created_us = 0;
};

/// A row for lists that is not the entity itself, e.g. a redemption.
struct query_entry {
  std::string kind;
  uuid id;
  query_keys keys;
  std::string answer; // serialised Answer of the kind, rendered to JSON by its presenter
};

/// What an entity decided. Committed whole or not at all.
class decision {
public:
  /// Adds an event: a message of the kind's Event type with exactly one case of its oneof set.
  /// `level`: the first feature level whose builds can read it; not above the context's.
  decision& record(const google::protobuf::Message& event, std::int32_t level = 1);

  /// Adds a message for another entity (or for the same one): the target kind's Message type.
  /// `level` as in `record`.
  decision& tell(const entity_ref& to, const google::protobuf::Message& message,
                 std::int32_t level = 1);

  decision& move(transfer t);
  decision& pay_lines(line_payment payment);
  decision& insert_lines(line_rows lines);
  decision& stage(staged_rows rows);
  decision& open_account(account_range accounts);
  decision& publish(std::string kind, uuid id, query_keys keys,
                    const google::protobuf::Message& answer);

  /// Sets (or moves) the entity's timer of that name; `fired` is called at `due_us` or later.
  decision& set_timer(std::string name, std::int64_t due_us);
  decision& cancel_timer(std::string name);

  /// The client's answer; without it the entity's view is the answer.
  decision& answer(const google::protobuf::Message& answer);
  decision& status(std::uint32_t http_status);

  /// Commits the events and tells the client no: for refusals that leave a trace.
  decision& refuse(error why);

  /// The answer comes later, by `answer_request` with the context's request id.
  decision& postpone();
  decision& answer_request(uuid request, const google::protobuf::Message& answer,
                           std::uint32_t http_status = 200);
  decision& refuse_request(uuid request, error why);

  bool empty() const {
    return events_.empty() && told_.empty() && transfers_.empty() && timers_.empty();
  }

  // -- what the host reads --------------------------------------------------

  struct event {
    std::string type; // the name of the oneof case, e.g. "approved"
    std::string bytes;
    std::int32_t level = 1;
  };
  struct told_message {
    entity_ref to;
    std::string bytes;
    std::int32_t level = 1;
  };
  struct late_answer {
    uuid request;
    std::string answer;
    std::uint32_t http_status = 200;
    std::optional<error> refusal;
  };

  /// The highest level of its events and messages.
  std::int32_t level() const { return level_; }

  const std::vector<event>& events() const { return events_; }
  const std::vector<told_message>& told() const { return told_; }
  const std::vector<transfer>& transfers() const { return transfers_; }
  const std::vector<line_payment>& payments() const { return payments_; }
  const std::vector<line_rows>& lines() const { return lines_; }
  const std::vector<staged_rows>& staged() const { return staged_; }
  const std::vector<account_range>& accounts() const { return accounts_; }
  const std::vector<query_entry>& published() const { return published_; }
  const std::vector<std::pair<std::string, std::int64_t>>& timers() const { return timers_; }
  const std::vector<late_answer>& late_answers() const { return late_answers_; }
  const std::optional<std::string>& own_answer() const { return answer_; }
  const std::optional<error>& refusal() const { return refusal_; }
  std::uint32_t http_status() const { return http_status_; }
  bool postponed() const { return postponed_; }

private:
  std::vector<event> events_;
  std::vector<told_message> told_;
  std::vector<transfer> transfers_;
  std::vector<line_payment> payments_;
  std::vector<line_rows> lines_;
  std::vector<staged_rows> staged_;
  std::vector<account_range> accounts_;
  std::vector<query_entry> published_;
  std::vector<std::pair<std::string, std::int64_t>> timers_;
  std::vector<late_answer> late_answers_;
  std::optional<std::string> answer_;
  std::optional<error> refusal_;
  std::uint32_t http_status_ = 200;
  std::int32_t level_ = 1;
  bool postponed_ = false;
};

/// A decision, or an error that commits nothing and is decided anew on a retry.
using result = std::variant<decision, error>;

inline error reject(errc code, std::string message, std::string field = {}) {
  return {code, std::move(message), std::move(field)};
}

/// Something that must never happen has happened: the entity is parked with this message.
struct broken_invariant : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Asserted in every build: books depend on it.
inline void must_hold(bool condition, const char* what) {
  if (!condition)
    throw broken_invariant(what);
}

} // namespace rahat
