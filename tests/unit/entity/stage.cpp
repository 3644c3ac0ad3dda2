#include "tests/unit/entity/stage.hpp"

#include <functional>

namespace rahat {

std::string heard::code() const {
  if (auto* e = std::get_if<error>(&what))
    return std::string{to_string(e->code)};
  if (auto* r = reply(); r != nullptr && r->status() == 0)
    return std::string{to_string(static_cast<errc>(r->error()))};
  return times == 0 ? "nothing" : "ok";
}

std::string heard::body() const {
  if (auto* r = reply())
    return r->body();
  if (auto* v = view())
    return *v->json;
  return {};
}

stage::stage(std::uint64_t with_seed, host_limits bounds)
    : seed(with_seed), limits(bounds), luck(with_seed + 1), dice(with_seed), hosts(with_seed) {
  kinds.add(probe_kind());
  start();
}

stage::~stage() {
  stop();
}

void stage::start() {
  db = std::make_unique<memory_store>(
      rows,
      memory_options{.mode = memory_options::drive::manual, .attempts = attempts, .time = &time});
  node = std::make_unique<region>(region::dependencies{
      .db = *db,
      .time = time,
      .dice = luck,
      .kinds = kinds,
      .probe = counts,
      .limits = limits,
      .spawn = hosts.spawner(),
      .serving = [this] { return serving; },
      .publish = [this](const live_event& e) { events.push_back(e); },
      .ticks = ticker::drive::manual,
      .beyond = beyond,
      .reads = reads,
      .too_old = [this](const entity_ref& e, const std::string&) { too_new.push_back(e); }});
  db->on_fenced([this](std::vector<shard_id> shards) {
    for (auto shard : shards)
      node->drop(shard);
  });
}

void stage::stop() {
  db->crash();
  hosts.vanish();
  node.reset();
  db.reset();
}

void stage::crash() {
  stop();
  start();
}

void stage::wake() {
  db->parked(0, 1'000, [this](outcome<std::vector<parked_row>> found) {
    if (auto* list = std::get_if<std::vector<parked_row>>(&found))
      for (auto& row : *list)
        node->mark_parked(row.entity);
  });
  for (shard_id shard = 0; shard < shard_count; ++shard)
    node->wake_pending(shard);
}

request stage::request_of(const entity_ref& target, const probe::Command& what,
                          const std::string& key) const {
  request r;
  r.target = target;
  r.command = what.SerializeAsString();
  r.id = request_id_of("user", "POST", "/probe", key);
  r.payload_hash = std::hash<std::string>{}(r.command);
  r.who = {"user", "maker"};
  r.deadline = time.steady() + std::chrono::hours(1'000);
  return r;
}

hearing stage::ask(request r) {
  auto out = std::make_shared<heard>();
  node->ask(std::move(r), [out](std::variant<wire::Reply, error> what) {
    ++out->times;
    std::visit([&](auto& x) { out->what = std::move(x); }, what);
  });
  return out;
}

hearing stage::ask(const entity_ref& target, const probe::Command& what, const std::string& key) {
  return ask(request_of(target, what, key));
}

hearing stage::look(const entity_ref& target) {
  auto out = std::make_shared<heard>();
  node->look(target, time.steady() + std::chrono::hours(1'000),
             [out](std::variant<entity_view, error> what) {
               ++out->times;
               std::visit([&](auto& x) { out->what = std::move(x); }, what);
             });
  return out;
}

hearing stage::add(const entity_ref& to, std::int64_t n) {
  return ask(to, add_of(n), fresh_key());
}

hearing stage::tell(const entity_ref& from, const entity_ref& to, std::int64_t n) {
  return ask(from, tell_of(to, n), fresh_key());
}

bool stage::step() {
  std::array<std::function<bool()>, 3> movers{[this] { return hosts.run_one(); },
                                              [this] { return db->run_one(); },
                                              [this] { return node->fire_due() > 0; }};
  auto first = seed == 0 ? 0 : dice() % movers.size();
  for (std::size_t i = 0; i < movers.size(); ++i)
    if (movers[(first + i) % movers.size()]())
      return true;
  return false;
}

void stage::settle() {
  constexpr int far_too_many = 2'000'000;
  for (int i = 0; i < far_too_many; ++i)
    if (!step())
      return;
  throw std::runtime_error("it never comes to rest, seed " + std::to_string(seed));
}

void stage::pass(std::chrono::milliseconds how_long) {
  auto until = time.steady() + how_long;
  settle();
  while (time.steady() < until) {
    auto next = std::min(until, node->next_tick().value_or(until));
    auto by = std::chrono::duration_cast<std::chrono::microseconds>(next - time.steady());
    time.advance_us(std::max<std::int64_t>(1, by.count()));
    settle();
  }
}

std::string stage::view(const entity_ref& of) {
  auto seen = look(of);
  settle();
  return seen->code() == "ok" ? seen->body() : seen->code();
}

std::vector<std::string> stage::timers(const entity_ref& of) const {
  return rows->with([&](memory::tables& t) {
    std::vector<std::string> names;
    for (auto& [key, row] : t.timers)
      if (key.first == of)
        names.push_back(key.second);
    return names;
  });
}

std::vector<parked_row> stage::parked() {
  return rows->with([&](memory::tables& t) {
    std::vector<parked_row> out;
    for (auto& [id, row] : t.parked)
      out.push_back(row);
    return out;
  });
}

probe::Command add_of(std::int64_t n) {
  probe::Command c;
  c.mutable_add()->set_n(n);
  return c;
}

probe::Command tell_of(const entity_ref& to, std::int64_t n) {
  probe::Command c;
  c.mutable_tell()->set_target(to.id.raw());
  c.mutable_tell()->set_n(n);
  return c;
}

probe::Command timer_of(const std::string& name, std::int64_t due_us) {
  probe::Command c;
  c.mutable_set_timer()->set_name(name);
  c.mutable_set_timer()->set_due_us(due_us);
  return c;
}

probe::Command work_of(int steps, bool feed) {
  probe::Command c;
  c.mutable_work()->set_steps(steps);
  c.mutable_work()->set_feed(feed);
  return c;
}

} // namespace rahat
