#include "tests/e2e/follower.hpp"

#include <stdexcept>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto look_every = 100ms;

} // namespace

follower::follower(const node_process& node, const std::string& token)
    : socket_(node.port(), {"/v2/live", "", "rahat.v2, bearer." + token}) {}

void follower::subscribe(const std::vector<std::string>& topics, const json::object& after) {
  json::array names;
  for (auto& t : topics)
    names.emplace_back(t);
  const json::object ask{{"subscribe", names}, {"after", after}};
  if (!socket_.send(json::serialize(ask)))
    throw std::runtime_error("the connection of live events has ended");
}

bool follower::read_until(const std::function<bool(const live_frame&)>& fits,
                          std::chrono::milliseconds limit) {
  const auto deadline = steady::now() + limit;
  while (steady::now() < deadline && !socket_.ended())
    if (read_one(look_every) && fits(frames.back()))
      return true;
  return false;
}

void follower::drain(std::chrono::milliseconds quiet) {
  while (read_one(quiet)) {
  }
}

bool follower::read_one(std::chrono::milliseconds limit) {
  auto message = socket_.next(limit);
  if (!message)
    return false;
  auto value = json::parse(*message);
  frames.push_back({text(value, "topic"), text(value, "token"), text(value, "type"),
                    value.at("data"), steady::now()});
  if (!value.as_object().contains("at"))
    throw std::runtime_error("a frame without its time: " + *message);
  if (frames.back().is_change())
    tokens[frames.back().topic] = frames.back().token;
  return true;
}

std::vector<std::int64_t> follower::versions(const std::string& entity) const {
  std::vector<std::int64_t> out;
  for (auto& f : frames)
    if (f.topic == entity && f.is_change())
      out.push_back(std::stoll(f.token));
  return out;
}

std::vector<std::int64_t> follower::versions_in_feed(const std::string& entity) const {
  std::vector<std::int64_t> out;
  for (auto& f : frames)
    if (f.topic == "feed" && f.is_change() && text(f.data, "entity") == entity)
      out.push_back(number(f.data, "version"));
  return out;
}

} // namespace rahat::test
