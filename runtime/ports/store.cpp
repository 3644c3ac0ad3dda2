#include "runtime/ports/store.hpp"

namespace rahat {

std::size_t commit::bytes() const {
  constexpr std::size_t row = 120; // keys and headers of a row on the wire
  std::size_t n = row + payload.size() + principal.size();
  if (request)
    n += row + request->reply.size();
  for (auto& r : answered)
    n += row + r.reply.size();
  n += transfers.size() * row + payments.size() * row;
  for (auto& l : lines)
    n += l.rows.size() * 64;
  for (auto& s : staged) {
    for (auto& r : s.rows)
      n += 64 + r.sealed.size() + r.wrapped_key.size();
    for (auto& e : s.errors)
      n += row + e.message.size();
  }
  n += (accounts.size() + timers.size() + totals.size()) * row;
  for (auto& o : outbox)
    n += row + o.body.size();
  for (auto& q : queries)
    n += row + q.doc.size();
  return n;
}

} // namespace rahat
