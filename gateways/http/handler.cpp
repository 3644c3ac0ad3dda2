#include "gateways/http/handler.hpp"

#include <atomic>

namespace rahat::http {

namespace {

std::optional<std::string_view> find(const std::vector<std::pair<std::string, std::string>>& list,
                                     std::string_view name) {
  for (auto& [key, value] : list)
    if (key == name)
      return value;
  return std::nullopt;
}

} // namespace

std::string_view request::param(std::string_view name) const {
  return find(params, name).value_or(std::string_view{});
}

std::optional<std::string_view> request::query_value(std::string_view name) const {
  return find(query, name);
}

/// Shared by all copies of a responder. The last copy to go answers for those that never did: a
/// dropped message must not leave a client waiting.
struct responder::once {
  explicit once(std::function<void(response)> f) : deliver(std::move(f)) {}

  once(const once&) = delete;
  once& operator=(const once&) = delete;

  ~once() {
    if (!done.load(std::memory_order_acquire) && deliver)
      deliver(problem({errc::unavailable,
                       "the request was dropped before it was answered: send it again with the "
                       "same Idempotency-Key",
                       {}}));
  }

  std::function<void(response)> deliver;
  std::atomic<bool> done{false};
};

responder::responder(std::function<void(response)> deliver)
    : once_(std::make_shared<once>(std::move(deliver))) {}

void responder::operator()(response answer) const {
  if (once_->done.exchange(true, std::memory_order_acq_rel))
    return; // a second answer has nobody to go to
  once_->deliver(std::move(answer));
}

} // namespace rahat::http
