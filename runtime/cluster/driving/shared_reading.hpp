#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace rahat::cluster {

/// Answers many with one reading. Who asks while one is under way waits for the next, which begins
/// after that: each answer is of a moment behind its question. Two readings at most stand for all
/// who ask at once. Thread-safe; held by a shared_ptr, answers keep it alive.
template <class Answer>
class shared_reading : public std::enable_shared_from_this<shared_reading<Answer>> {
public:
  using listener = std::function<void(const Answer&)>;

  /// `read` answers once, from any thread, also before it returns.
  explicit shared_reading(std::function<void(std::function<void(const Answer&)>)> read)
      : read_(std::move(read)) {}

  void ask(listener then) {
    {
      std::lock_guard lock{mutex_};
      waiting_.push_back(std::move(then));
      if (std::exchange(under_way_, true))
        return;
    }
    begin();
  }

private:
  void begin() {
    std::vector<listener> asked;
    {
      std::lock_guard lock{mutex_};
      if (waiting_.empty()) {
        under_way_ = false;
        return;
      }
      asked.swap(waiting_);
    }
    read_([self = this->shared_from_this(), asked = std::move(asked)](const Answer& answer) {
      for (auto& then : asked)
        then(answer);
      self->begin();
    });
  }

  const std::function<void(std::function<void(const Answer&)>)> read_;
  std::mutex mutex_; // guards the rest
  std::vector<listener> waiting_;
  bool under_way_ = false;
};

} // namespace rahat::cluster
