#include "tests/unit/live/fixture.hpp"

#include "runtime/wire/wire.pb.h"

namespace rahat::live::test {

namespace {

/// What stands between `before` and `after`.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  auto begin = text.find(before);
  if (begin == std::string::npos)
    return {};
  begin += before.size();
  return text.substr(begin, text.find(after, begin) - begin);
}

} // namespace

got parse(const std::string& frame) {
  got out;
  out.topic = between(frame, R"({"topic":")", "\"");
  out.token = between(frame, R"(,"token":")", "\"");
  out.type = between(frame, R"(,"type":")", "\"");
  auto data = frame.find(R"(,"data":)");
  if (data != std::string::npos)
    out.data = frame.substr(data + 8, frame.size() - data - 9);
  return out;
}

// -- listener

bool listener::push(std::shared_ptr<const event> what) {
  std::lock_guard lock(mutex_);
  if (frames_.size() == bound_)
    return false;
  frames_.push_back(parse(what->frame));
  return true;
}

std::vector<got> listener::all() const {
  std::lock_guard lock(mutex_);
  return frames_;
}

std::vector<got> listener::of_type(const std::string& type) const {
  std::vector<got> out;
  for (auto& g : all())
    if (g.type == type)
      out.push_back(g);
  return out;
}

std::vector<std::string> listener::types() const {
  std::vector<std::string> out;
  for (auto& g : all())
    if (g.type != "state")
      out.push_back(g.type);
  return out;
}

std::string listener::last_token() const {
  std::string token;
  for (auto& g : all())
    if (!g.token.empty())
      token = g.token;
  return token;
}

// -- entities

void quiet_entities::look(const entity_ref& target, std::chrono::steady_clock::time_point,
                          view_callback done) {
  entity_view view;
  view.version = versions[target];
  view.json = std::make_shared<const std::string>(R"({"id":")" + target.id.str() + "\"}");
  done(view);
}

// -- hub_test

hub_test::hub_test() {
  memory_options how;
  how.mode = memory_options::drive::manual;
  how.time = &time;
  db = std::make_unique<memory_store>(rows, how);
  options.kinds = {"project"};
  options.progress_types = {"project.counted"};
  hub = std::make_unique<live_hub>(options, *db, all, time);
}

hub_test::~hub_test() {
  hub->stop();
  db->run_all(); // callbacks of a stopped hub are harmless
}

live_event hub_test::commit_event(const entity_ref& entity, const std::string& type) {
  auto& seq = seqs_[entity];
  if (seq == 0) {
    db->load(entity, 1, 1, [](outcome<loaded_entity>) {});
    db->run_all();
  }
  commit c;
  c.entity = entity;
  c.shard = shard_of(entity);
  c.incarnation = 1;
  c.seq = ++seq;
  all.versions[entity] = seq;
  c.type = type;
  c.payload = wire::Commit{}.SerializeAsString();
  c.principal = "asha";
  c.at_us = time.now_us();
  live_event e;
  e.entity = entity;
  e.seq = c.seq;
  e.shard = c.shard;
  e.type = type;
  e.at_us = c.at_us;
  e.view = std::make_shared<const std::string>(R"({"version":)" + std::to_string(c.seq) + "}");
  // The fixture outlives the store, so it needs no owner.
  db->write(std::move(c), std::shared_ptr<commit_listener>(std::shared_ptr<void>(), this));
  db->run_all();
  e.position = position_;
  return e;
}

live_event hub_test::happen(const entity_ref& entity, const std::string& type) {
  auto e = commit_event(entity, type);
  hub->publish(e);
  return e;
}

std::optional<error> hub_test::subscribe(const std::string& topic,
                                         const std::shared_ptr<listener>& to,
                                         const std::optional<std::string>& after) {
  return hub->subscribe({"asha", "reader"}, topic, after, to, [] {});
}

entity_ref hub_test::entity(std::uint8_t number, const std::string& kind) {
  uuid id;
  id.bytes.back() = number;
  return {kind, id};
}

entity_ref hub_test::entity_in(shard_id shard, std::uint16_t from) {
  for (std::uint16_t n = from;; ++n) {
    auto candidate = entity_ref{"project", derive_id({"live test", std::to_string(n)})};
    if (shard_of(candidate) == shard)
      return candidate;
  }
}

} // namespace rahat::live::test
