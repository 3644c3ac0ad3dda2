#include "tests/cluster/history.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <stdexcept>

namespace rahat::test {

namespace json = boost::json;

namespace {

constexpr std::size_t max_shown_body = 500; // of a register nobody reads more

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

json::object line_of(const request& r) {
  json::array tries;
  for (const auto& a : r.attempts) {
    json::object one{
        {"node", a.node}, {"at_ms", a.at_ms}, {"took_ms", a.took_ms}, {"status", a.status}};
    if (!a.fault.empty())
      one["fault"] = a.fault;
    tries.push_back(std::move(one));
  }
  return {{"key", r.key},
          {"path", r.path},
          {"body", r.body.substr(0, max_shown_body)},
          {"attempts", std::move(tries)},
          {"status", r.status},
          {"answer", r.answer.substr(0, max_shown_body)}};
}

} // namespace

std::int64_t request::took_ms() const {
  return attempts.empty()
             ? 0
             : attempts.back().at_ms + attempts.back().took_ms - attempts.front().at_ms;
}

history::history() : began_ms_(steady_ms()) {}

std::int64_t history::now_ms() const {
  return steady_ms() - began_ms_;
}

void history::add(request one) {
  std::lock_guard lock{mutex_};
  requests_.push_back(std::move(one));
}

void history::note(const std::string& what) {
  std::lock_guard lock{mutex_};
  remarks_.push_back({requests_.size(), now_ms(), what});
}

std::vector<request> history::all() const {
  std::lock_guard lock{mutex_};
  return requests_;
}

std::size_t history::size() const {
  std::lock_guard lock{mutex_};
  return requests_.size();
}

void history::write(const std::filesystem::path& file) const {
  std::ofstream out{file};
  std::lock_guard lock{mutex_};
  auto next = remarks_.begin();
  for (std::size_t i = 0; i <= requests_.size(); ++i) {
    for (; next != remarks_.end() && next->after <= i; ++next)
      out << json::object{{"at_ms", next->at_ms}, {"note", next->what}} << '\n';
    if (i < requests_.size())
      out << line_of(requests_[i]) << '\n';
  }
  if (!out.flush())
    throw std::runtime_error("cannot write the history to " + file.string());
}

} // namespace rahat::test
