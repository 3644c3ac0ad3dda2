#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rahat {

/// A page of a list: JSON documents, oldest first unless said otherwise.
struct page {
  std::vector<std::string> items; // JSON
  std::string next;               // opaque cursor of the next page, empty at the end
};

/// A list of entities or of published entries of one kind. Bound: `limit` <= 200.
struct list_query {
  std::string kind;
  std::optional<uuid> project;
  std::optional<uuid> parent;
  std::optional<std::string> status;
  bool newest_first = true;
  std::string cursor; // as given by the former page; a foreign one is invalid_input
  std::uint32_t limit = 50;
};

/// One line of a disbursement as it stands in the store.
struct stored_line {
  std::uint32_t no = 0;
  uuid person;
  uuid wallet;
  uuid batch;
  std::int64_t amount_minor = 0;
};

struct stored_row {
  std::uint32_t ordinal = 0;
  std::uint32_t row = 0;
  uuid person;
  std::int64_t amount_minor = 0;
  std::string sealed;
  std::string wrapped_key; // empty: the person was erased
};

struct stored_error {
  std::uint32_t row = 0;
  std::string field;
  std::string message;
};

/// Reads of the query side; never of a state that is not committed. Thread-safe, callbacks from a
/// reader thread. At the bound of waiting reads the callback gets errc::overloaded.
class queries {
public:
  virtual ~queries() = default;

  template <class T>
  using callback = std::function<void(std::variant<T, error>)>;

  virtual void list(list_query q, callback<page> done) = 0;

  /// One document by kind and id, for published entries; not_found if there is none.
  virtual void document(std::string kind, uuid id, callback<std::string> done) = 0;

  /// Lines of a pay list with no > after, in order, at most `limit`.
  virtual void lines(uuid list, std::int64_t after, std::uint32_t limit,
                     callback<std::vector<stored_line>> done) = 0;

  /// Staged rows of an upload with one of the given ordinals, in order of ordinal.
  virtual void rows(uuid upload, std::vector<std::uint32_t> ordinals,
                    callback<std::vector<stored_row>> done) = 0;

  /// Errors of an upload with row > after, in order.
  virtual void upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                             callback<std::vector<stored_error>> done) = 0;
};

} // namespace rahat
