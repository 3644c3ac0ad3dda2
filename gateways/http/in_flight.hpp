#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

namespace rahat::http {

/// The requests with an Idempotency-Key that run on this node's edge at this moment, by
/// (user, method, path, key). It only spares the entity a second copy; that an effect happens once
/// is the entity's own doing. Thread-safe; bounded: at `capacity` a new key is answered "full".
class in_flight_table : public std::enable_shared_from_this<in_flight_table> {
public:
  explicit in_flight_table(std::size_t capacity) : capacity_(capacity) {}

  /// Holds a key until it is destroyed.
  class hold {
  public:
    hold() = default;
    hold(hold&& other) noexcept = default;
    hold& operator=(hold&& other) noexcept;
    ~hold() { release(); }

    void release();

  private:
    friend class in_flight_table;
    hold(std::shared_ptr<in_flight_table> table, std::string key)
        : table_(std::move(table)), key_(std::move(key)) {}

    std::shared_ptr<in_flight_table> table_;
    std::string key_;
  };

  enum class verdict { taken, running, full };

  /// Takes the key if nobody has it; `out` then holds it.
  verdict take(const std::string& key, hold& out);

private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::unordered_set<std::string> keys_;
};

} // namespace rahat::http
