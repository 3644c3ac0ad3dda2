#include "runtime/entity/region.hpp"

#include <algorithm>

namespace rahat {

void kind_registry::add(std::unique_ptr<kind> k) {
  auto name = std::string{k->name()};
  must_hold(kinds_.emplace(name, std::move(k)).second, "a kind was registered twice");
}

std::set<std::string> kind_registry::names() const {
  std::set<std::string> out;
  for (auto& [name, k] : kinds_)
    out.insert(name);
  return out;
}

const kind* kind_registry::find(std::string_view name) const {
  auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : found->second.get();
}

namespace {

/// Rows of the parked are written behind their backs: younger ones may not stand in the list yet.
constexpr std::chrono::seconds listed_within{10};

void hold_credit(mail& m, inbox_credit credit) {
  if (auto* r = std::get_if<mail_request>(&m))
    r->credit = std::move(credit);
  else if (auto* l = std::get_if<mail_look>(&m))
    l->credit = std::move(credit);
  else if (auto* t = std::get_if<mail_told>(&m))
    t->credit = std::move(credit);
}

} // namespace

region::region(dependencies d)
    : d_(std::move(d)),
      levels_(d_.reads),
      incarnations_(d_.dice.number() | 1), // hosts of two processes never share one
      ticker_(std::make_unique<ticker>(
          d_.time, [this](const entity_ref& entity) { tick(entity); }, d_.ticks)) {
  for (auto& s : sections_)
    s.open = d_.serves_all;
}

/// A tick to whoever is in memory; starts only those whose start was put off.
void region::tick(const entity_ref& entity) {
  auto& s = section_of(entity);
  std::shared_ptr<mailbox> to;
  {
    std::unique_lock lock{s.mutex};
    auto found = s.entries.find(entity);
    if (found != s.entries.end()) {
      to = found->second.box;
    } else {
      auto waiting = s.troubles.find(entity);
      if (waiting == s.troubles.end() || waiting->second.parked || !waiting->second.to_start)
        return;
      if (d_.time.steady() < waiting->second.not_before)
        return; // it has failed again since; a later tick comes
    }
  }
  if (to) {
    to->post(mail_tick{});
    return;
  }
  mail wake = mail_wake{};
  if (post(entity, wake, admit::freely) && !stopping_) // e.g. the lease has lapsed: not for good
    ticker_->wake_at(entity, d_.time.steady() + d_.limits.restart_last);
}

region::~region() {
  stop();
}

void region::stop() {
  if (stopping_.exchange(true))
    return;
  ticker_->stop();
  for (shard_id shard = 0; shard < shard_count; ++shard)
    close(shard, {errc::not_ready, "the node is stopping: try another or again", {}});
}

// -- entities -----------------------------------------------------------------------

void region::ask(request r, reply_callback done) {
  auto target = r.target;
  mail m = mail_request{std::move(r), std::move(done), {}};
  if (auto refused = post(target, m, admit::as_client)) {
    d_.probe.mail_refused(target.kind, to_string(refused->code));
    std::get<mail_request>(m).done(std::move(*refused));
  }
}

void region::look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
                  view_callback done) {
  mail m = mail_look{deadline, std::move(done), {}};
  if (auto refused = post(target, m, admit::as_client)) {
    d_.probe.mail_refused(target.kind, to_string(refused->code));
    std::get<mail_look>(m).done(std::move(*refused));
  }
}

std::optional<error> region::post(const entity_ref& target, mail& m, admit how) {
  if (stopping_)
    return error{errc::not_ready, "the node is stopping: try another or again", {}};
  if (!d_.serving())
    return error{errc::not_ready, "the node has lost its lease: try again in a moment", {}};
  auto* k = d_.kinds.find(target.kind);
  if (k == nullptr)
    return error{errc::not_found, "there is no kind of entity called " + target.kind, {}};
  if (how == admit::as_client && std::holds_alternative<mail_request>(m) &&
      d_.db.writer_credit(shard_of(target)) <= 0)
    return error{errc::overloaded, "the store is behind: try again in a second", {}};
  std::shared_ptr<mailbox> to;
  bool absent = false;
  auto refused = admit_mail(target, *k, m, how, to, absent);
  if (absent && short_of_room())
    make_room();
  if (!refused)
    to->post(std::move(m)); // without a lock: mail for a host that has ended answers here
  return refused;
}

/// Under its section's lock: finds or starts the host, and takes a credit. `absent`: it was not in
/// memory.
std::optional<error> region::admit_mail(const entity_ref& target, const kind& k, mail& m, admit how,
                                        std::shared_ptr<mailbox>& to, bool& absent) {
  auto& s = section_of(target);
  std::unique_lock lock{s.mutex};
  if (!s.open)
    return error{errc::moved, "another node serves it, or will in a moment: try again", {}};
  auto found = entry_of(s, target, k, absent);
  if (auto* refused = std::get_if<error>(&found))
    return std::move(*refused);
  auto& e = *std::get<entry*>(found);
  if (how != admit::freely) {
    if (e.box->in_flight.load() >= d_.limits.inbox)
      return error{errc::overloaded, "too many requests are waiting for it: try again", {}};
    // From here on `retire` says no, until the mail has been taken or dropped.
    hold_credit(m, inbox_credit{e.box, d_.probe, k.name()});
  }
  e.used = d_.time.steady();
  to = e.box;
  return std::nullopt;
}

std::variant<region::entry*, error> region::entry_of(section& s, const entity_ref& target,
                                                     const kind& k, bool& absent) {
  auto found = s.entries.find(target);
  absent = found == s.entries.end();
  if (absent) {
    auto trouble = s.troubles.find(target);
    if (trouble != s.troubles.end()) {
      if (trouble->second.too_new)
        return error{errc::moved, "this node's build is too old for it: try again", {}};
      if (trouble->second.parked)
        return error{errc::parked, "it is parked until an operator has looked at it", {}};
      if (d_.time.steady() < trouble->second.not_before)
        return error{errc::unavailable, "it has failed and is restarting: try again", {}};
    }
    if (resident_.load() >= d_.limits.resident)
      return error{errc::overloaded, "too many entities are in use: try again in a second", {}};
    return &start_host(s, target, k);
  }
  return &found->second;
}

region::entry& region::start_host(section& s, const entity_ref& target, const kind& k) {
  auto incarnation = incarnations_.fetch_add(1);
  auto box = std::make_shared<mailbox>();
  host::environment env{d_.db, d_.time, *this, d_.probe, d_.limits, levels_};
  box->post = d_.spawn([env, &k, target, incarnation](poster back) {
    return std::make_unique<host>(env, k, target, incarnation, std::move(back));
  });
  ++resident_;
  auto trouble = s.troubles.find(target);
  if (trouble != s.troubles.end())
    trouble->second.to_start = false;
  return s.entries[target] = entry{std::move(box), incarnation};
}

bool region::short_of_room() const {
  return resident_.load() >= d_.limits.resident - d_.limits.resident / 16;
}

/// Asks one entity to leave: of the shards in turn, the one that was left alone longest in the
/// first that has one, so that it costs little. It leaves if it is idle; else it is not asked again
/// soon.
void region::make_room() {
  constexpr int looked_at = 4; // shards with entities in memory
  const auto now = d_.time.steady();
  int looked = 0;
  for (std::size_t n = 0; n < shard_count && looked < looked_at; ++n) {
    auto& s = sections_[room_from_.fetch_add(1) % shard_count];
    std::unique_lock lock{s.mutex};
    looked += s.entries.empty() ? 0 : 1;
    entry* longest = nullptr;
    for (auto& [entity, e] : s.entries)
      if (now - e.used >= d_.limits.unused_at_least && e.box->in_flight.load() == 0 &&
          (longest == nullptr || e.used < longest->used))
        longest = &e;
    if (longest == nullptr)
      continue;
    longest->used = now;
    auto to = longest->box;
    lock.unlock();
    to->post(mail_make_room{});
    return;
  }
}

// -- the node -------------------------------------------------------------------------

void region::wake_pending(shard_id shard, std::function<void(std::size_t)> found) {
  constexpr std::uint32_t limit = 100'000;
  d_.db.pending(shard, limit, [this, found](outcome<std::vector<entity_ref>> pending) {
    auto* entities = std::get_if<std::vector<entity_ref>>(&pending);
    if (entities == nullptr || stopping_) {
      if (found)
        found(0);
      return;
    }
    for (auto& entity : *entities) {
      auto& s = section_of(entity);
      {
        std::unique_lock lock{s.mutex};
        if (!s.open || s.entries.contains(entity))
          continue;
        auto& t = s.troubles[entity];
        if (t.parked || t.too_new || std::exchange(t.to_start, true))
          continue; // not to be started, or about to be
      }
      ticker_->wake_at(entity, next_wake());
    }
    if (found)
      found(entities->size());
  });
}

/// The moment of the next start: one rate for the whole node, whatever the shard.
region::time_point region::next_wake() {
  auto step = std::chrono::microseconds(1'000'000 / std::max(1u, d_.limits.wake_per_second));
  std::unique_lock lock{wake_mutex_};
  next_wake_ = std::max(next_wake_, d_.time.steady());
  return std::exchange(next_wake_, next_wake_ + step);
}

void region::open(shard_id shard) {
  std::unique_lock lock{sections_[shard].mutex};
  sections_[shard].open = true;
}

void region::hand_over(shard_id shard, std::function<void()> done) {
  auto& s = sections_[shard];
  std::vector<std::shared_ptr<mailbox>> left;
  {
    std::unique_lock lock{s.mutex};
    s.open = false;
    std::erase_if(s.troubles, [](auto& t) { return !t.second.parked; });
    for (auto& [entity, e] : s.entries)
      left.push_back(e.box);
    if (!left.empty())
      s.emptied = std::move(done);
  }
  for (auto& box : left)
    box->post(mail_drain{});
  if (left.empty())
    done();
}

void region::drop(shard_id shard) {
  close(shard, {errc::moved, "another node has taken it over: try again", {}});
}

void region::close(shard_id shard, const error& why) {
  auto& s = sections_[shard];
  std::unordered_map<entity_ref, entry> dropped;
  std::function<void()> emptied;
  {
    std::unique_lock lock{s.mutex};
    s.open = false;
    dropped.swap(s.entries);
    std::erase_if(s.troubles, [](auto& t) { return !t.second.parked; });
    emptied = std::exchange(s.emptied, nullptr);
  }
  resident_ -= dropped.size();
  for (auto& [entity, e] : dropped)
    e.box->post(mail_stop{why});
  if (emptied)
    emptied();
}

void region::release(const entity_ref& entity) {
  auto& s = section_of(entity);
  {
    std::unique_lock lock{s.mutex};
    if (!s.open)
      return; // its next owner reads the list
    auto& t = s.troubles[entity];
    t = {};
    t.to_start = true;
  }
  ticker_->wake_at(entity, d_.time.steady());
}

void region::mark_parked(const entity_ref& entity) {
  auto& s = section_of(entity);
  std::unique_lock lock{s.mutex};
  auto& t = s.troubles[entity];
  t.parked = true;
  t.last = d_.time.steady();
}

void region::parked_are(shard_id shard, const std::vector<entity_ref>& entities) {
  {
    std::unique_lock lock{sections_[shard].mutex};
    sections_[shard].troubles.clear();
  }
  for (auto& entity : entities)
    mark_parked(entity);
}

void region::still_parked(const std::set<entity_ref>& listed) {
  std::vector<entity_ref> gone;
  for (auto& s : sections_) {
    std::unique_lock lock{s.mutex};
    for (auto& [entity, t] : s.troubles)
      if (t.parked && !listed.contains(entity) && d_.time.steady() - t.last > listed_within)
        gone.push_back(entity);
  }
  for (auto& entity : gone)
    release(entity);
}

std::vector<resident> region::residents(std::size_t limit) const {
  std::vector<resident> out;
  for (auto& s : sections_) {
    std::unique_lock lock{s.mutex};
    for (auto& [entity, e] : s.entries) {
      if (out.size() >= limit)
        return out;
      resident r{entity, e.box->in_flight.load(), 0, false};
      auto trouble = s.troubles.find(entity);
      if (trouble != s.troubles.end())
        r.failures = trouble->second.failures;
      out.push_back(std::move(r));
    }
    for (auto& [entity, t] : s.troubles)
      if (t.parked && out.size() < limit)
        out.push_back({entity, 0, t.failures, true});
  }
  return out;
}

// -- host_outlet ------------------------------------------------------------------------

void region::tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                  const std::string& body) {
  if (d_.beyond != nullptr && !is_open(target))
    d_.beyond->tell(source, target, n, body);
  else
    deliver(source, target, n, body);
}

void region::acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) {
  if (d_.beyond != nullptr && !is_open(source))
    d_.beyond->acknowledge(source, target, n);
  else
    heard(source, target, n);
}

bool region::is_open(const entity_ref& e) {
  auto& s = section_of(e);
  std::unique_lock lock{s.mutex};
  return s.open;
}

bool region::deliver(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                     const std::string& body) {
  mail m = mail_told{source, n, body, {}};
  auto refused = post(target, m, admit::as_message);
  if (refused)
    d_.probe.mail_refused(target.kind, to_string(refused->code)); // the outbox sends it again
  return !refused;
}

void region::heard(const entity_ref& source, const entity_ref& target, std::uint64_t n) {
  auto& s = section_of(source);
  std::shared_ptr<mailbox> to;
  {
    std::unique_lock lock{s.mutex};
    auto found = s.entries.find(source);
    if (found == s.entries.end())
      return; // it sends again when it is woken and then hears the acknowledgement
    to = found->second.box;
  }
  to->post(mail_acknowledged{target, n});
}

void region::wake_at(const entity_ref& self, std::chrono::steady_clock::time_point when) {
  ticker_->wake_at(self, when);
}

void region::happened(const live_event& event) {
  if (d_.publish)
    d_.publish(event);
}

bool region::retire(const entity_ref& self, std::uint64_t incarnation) {
  auto& s = section_of(self);
  std::unique_lock lock{s.mutex};
  auto found = s.entries.find(self);
  if (found == s.entries.end() || found->second.incarnation != incarnation)
    return true; // forgotten already
  if (found->second.box->in_flight.load() != 0)
    return false;
  auto emptied = erase(s, found);
  // What failed lately is remembered: an entity without state leaves memory between two tries.
  auto trouble = s.troubles.find(self);
  if (trouble != s.troubles.end() && !trouble->second.parked &&
      (trouble->second.failures == 0 ||
       d_.time.steady() - trouble->second.last > d_.limits.failure_window))
    s.troubles.erase(trouble);
  lock.unlock();
  if (emptied)
    emptied();
  return true;
}

/// Gives back who waits for the shard's last host, if this was it. Under the section's lock.
std::function<void()> region::erase(section& s,
                                    std::unordered_map<entity_ref, entry>::iterator at) {
  s.entries.erase(at);
  --resident_;
  return s.entries.empty() ? std::exchange(s.emptied, nullptr) : nullptr;
}

void region::failed(const entity_ref& self, std::uint64_t incarnation, bool guilty,
                    const std::string& reason, const std::string& body) {
  auto& s = section_of(self);
  bool park = false;
  std::uint32_t failures = 0;
  bool stays = true; // false: the shard is leaving, and the next owner starts it
  auto again = d_.time.steady();
  std::function<void()> emptied;
  {
    std::unique_lock lock{s.mutex};
    auto found = s.entries.find(self);
    if (found == s.entries.end() || found->second.incarnation != incarnation)
      return; // dropped already, maybe replaced
    emptied = erase(s, found);
    stays = s.open;
    auto& t = s.troubles[self];
    if (t.failures > 0 && again - t.last > d_.limits.failure_window)
      t = {};
    t.last = again;
    t.to_start = stays;
    failures = ++t.failures;
    t.own_faults += guilty ? 1 : 0;
    park = !t.parked && t.own_faults >= d_.limits.tries_before_parking;
    t.parked = t.parked || park;
    again += backoff(failures);
    t.not_before = again;
  }
  d_.probe.host_restarted(self.kind, guilty ? "own_fault" : "store");
  if (park) {
    d_.probe.entity_parked(self.kind, "kept_failing");
    d_.db.park({0, self, reason, body, d_.time.now_us(), failures});
  } else if (!stopping_ && stays) {
    ticker_->wake_at(self, again);
  }
  if (emptied)
    emptied();
}

void region::level_too_high(const entity_ref& self, std::uint64_t incarnation,
                            const std::string& reason) {
  auto& s = section_of(self);
  std::function<void()> emptied;
  {
    std::unique_lock lock{s.mutex};
    auto found = s.entries.find(self);
    if (found == s.entries.end() || found->second.incarnation != incarnation)
      return; // dropped already, maybe replaced
    emptied = erase(s, found);
    if (s.open) { // else its next owner starts it
      auto& t = s.troubles[self];
      t.too_new = true;
      t.to_start = false;
    }
  }
  d_.probe.entity_parked(self.kind, "level_too_high");
  if (d_.too_old)
    d_.too_old(self, reason);
  if (emptied)
    emptied();
}

std::chrono::milliseconds region::backoff(std::uint32_t failures) {
  auto wait = d_.limits.restart_first;
  for (std::uint32_t i = 1; i < failures && wait < d_.limits.restart_last; ++i)
    wait *= 2;
  wait = std::min(wait, d_.limits.restart_last);
  auto jitter = static_cast<std::int64_t>(d_.dice.number() % 1'000) * wait.count() / 4'000;
  return wait + std::chrono::milliseconds(jitter);
}

} // namespace rahat
