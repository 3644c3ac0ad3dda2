#include "gateways/http/in_flight.hpp"

namespace rahat::http {

in_flight_table::hold& in_flight_table::hold::operator=(hold&& other) noexcept {
  if (this != &other) {
    release();
    table_ = std::move(other.table_);
    key_ = std::move(other.key_);
  }
  return *this;
}

void in_flight_table::hold::release() {
  auto table = std::move(table_);
  if (!table)
    return;
  std::lock_guard lock(table->mutex_);
  table->keys_.erase(key_);
}

in_flight_table::verdict in_flight_table::take(const std::string& key, hold& out) {
  {
    std::lock_guard lock(mutex_);
    if (keys_.contains(key))
      return verdict::running;
    if (keys_.size() >= capacity_)
      return verdict::full;
    keys_.insert(key);
  }
  out = hold(shared_from_this(), key); // outside the lock: what `out` held is let go here
  return verdict::taken;
}

} // namespace rahat::http
