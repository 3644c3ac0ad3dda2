#include "runtime/entity/outbox.hpp"

#include <algorithm>

namespace rahat {

std::uint64_t outbox::next_number(const entity_ref& target) {
  return ++targets_[target].last_given;
}

void outbox::committed(const outbox_row& row, time_point now, const send& out) {
  auto& s = targets_[row.target];
  s.waiting.emplace_back(row.n, row.body);
  ++unacknowledged_;
  fill_window(row.target, s, now, out);
}

bool outbox::acknowledged(const entity_ref& target, std::uint64_t n, time_point now,
                          const send& out) {
  auto found = targets_.find(target);
  if (found == targets_.end())
    return false;
  auto& s = found->second;
  bool any = false;
  while (!s.waiting.empty() && s.waiting.front().first <= n) {
    s.waiting.pop_front();
    --unacknowledged_;
    any = true;
  }
  if (!any)
    return false;
  s.last_sent = std::max(s.last_sent, n);
  s.backoff = limits_.resend_first;
  s.resend_at = now + s.backoff;
  fill_window(target, s, now, out);
  return true;
}

void outbox::fill_window(const entity_ref& target, target_state& s, time_point now,
                         const send& out) {
  std::uint32_t on_the_way = 0;
  for (auto& [n, body] : s.waiting) {
    if (on_the_way++ >= limits_.window)
      break;
    if (n <= s.last_sent)
      continue;
    if (s.backoff.count() == 0 || s.waiting.front().first == n) {
      s.backoff = limits_.resend_first;
      s.resend_at = now + s.backoff;
    }
    s.last_sent = n;
    out(target, n, body);
  }
}

std::size_t outbox::resend(time_point now, const send& out) {
  std::size_t sent = 0;
  for (auto& [target, s] : targets_) {
    if (s.waiting.empty() || s.resend_at > now)
      continue;
    s.backoff = std::min(s.backoff * 2, limits_.resend_last);
    s.resend_at = now + s.backoff;
    std::uint32_t on_the_way = 0;
    for (auto& [n, body] : s.waiting) {
      if (on_the_way++ >= limits_.window)
        break;
      s.last_sent = std::max(s.last_sent, n);
      out(target, n, body);
      ++sent;
    }
  }
  return sent;
}

std::optional<outbox::time_point> outbox::next_resend() const {
  std::optional<time_point> first;
  for (auto& [target, s] : targets_)
    if (!s.waiting.empty() && (!first || s.resend_at < *first))
      first = s.resend_at;
  return first;
}

void outbox::number_was_given(const entity_ref& target, std::uint64_t n) {
  auto& s = targets_[target];
  s.last_given = std::max(s.last_given, n);
}

void outbox::save(wire::Snapshot& out) const {
  for (auto& [target, s] : targets_) {
    auto& saved = *out.add_outbox();
    saved.mutable_target()->set_kind(target.kind);
    saved.mutable_target()->set_id(target.id.raw());
    saved.set_n(s.last_given);
  }
}

void outbox::load(const wire::Snapshot& in) {
  for (auto& saved : in.outbox())
    number_was_given({saved.target().kind(), uuid::from_raw(saved.target().id())}, saved.n());
}

} // namespace rahat
