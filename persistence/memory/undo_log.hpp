#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace rahat {

/// One entity's rows cannot be stored, however often they are sent: a key that is taken, text that
/// is not text, a digest that does not match.
struct row_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Makes a change of several tables atomic: what was changed through it is taken back by its
/// destructor, latest first, unless `keep` was called. Used under the database's lock.
class undo_log {
public:
  undo_log() = default;
  undo_log(const undo_log&) = delete;
  undo_log& operator=(const undo_log&) = delete;

  ~undo_log() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
      (*step)();
  }

  /// Throws row_error when the key is taken.
  template <class Table>
  void insert(Table& table, typename Table::key_type key, typename Table::mapped_type row,
              const char* name) {
    if (!table.emplace(key, std::move(row)).second)
      throw row_error(std::string("duplicate key in table ") + name);
    steps_.push_back([&table, key = std::move(key)] { table.erase(key); });
  }

  template <class Table>
  void put(Table& table, typename Table::key_type key, typename Table::mapped_type row) {
    remember(table, key);
    table[key] = std::move(row);
  }

  template <class Table>
  void erase(Table& table, const typename Table::key_type& key) {
    remember(table, key);
    table.erase(key);
  }

  void keep() { steps_.clear(); }

private:
  template <class Table>
  void remember(Table& table, const typename Table::key_type& key) {
    auto at = table.find(key);
    if (at == table.end())
      steps_.push_back([&table, key] { table.erase(key); });
    else
      steps_.push_back([&table, key, row = at->second] { table[key] = row; });
  }

  std::vector<std::function<void()>> steps_;
};

} // namespace rahat
