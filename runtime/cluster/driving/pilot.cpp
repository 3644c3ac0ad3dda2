#include "runtime/cluster/driving/pilot.hpp"

#include <algorithm>

namespace rahat::cluster {

namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

pilot::pilot(dependencies d) : d_(std::move(d)), read_at_(d_.time.steady()) {}

pilot::~pilot() {
  stop();
}

void pilot::stop() {
  gate_->shut();
}

// -- reading ------------------------------------------------------------------------------

void pilot::tick() {
  gate::pass inside{*gate_};
  if (!inside)
    return;
  std::uint64_t call = 0;
  {
    std::lock_guard lock{mutex_};
    const auto now = d_.time.steady();
    if (ended_)
      return;
    if (under_way_ && now - asked_ < d_.give_up)
      return;
    if (!under_way_ && now < next_read_)
      return;
    under_way_ = true;
    asked_ = now;
    asked_boot_us_ = d_.time.boot_us();
    next_read_ = now + d_.read_every;
    call = ++calls_; // a former call that answers now is ignored
  }
  d_.db.read([this, call, guard = gate_](std::variant<cluster_reading, error> answer) {
    gate::pass back{*guard};
    if (back)
      took_reading(call, std::move(answer));
  });
}

void pilot::read_soon() {
  std::lock_guard lock{mutex_};
  next_read_ = std::min(next_read_, std::max(d_.time.steady(), asked_ + d_.read_apart));
}

void pilot::took_reading(std::uint64_t call, std::variant<cluster_reading, error> answer) {
  std::shared_ptr<const view> now;
  bool newer = false;
  auto* seen = std::get_if<cluster_reading>(&answer);
  {
    std::lock_guard lock{mutex_};
    if (ended_ || call != calls_)
      return;
    under_way_ = seen != nullptr; // what follows from it comes before the next reading
    if (seen != nullptr) {
      read_at_ = d_.time.steady();
      d_.probe.read(seconds(read_at_ - asked_));
      newer = !now_ || !agree(*now_, seen->now);
      now_ = now = std::make_shared<const view>(seen->now);
      votes_ = seen->votes;
    }
  }
  if (seen == nullptr) {
    d_.probe.read_failed(std::get<error>(answer).message);
    return; // nobody joins, nobody dies
  }
  d_.moves.rows_read(*seen);
  std::vector<shard_map::row> rows;
  for (shard_id shard = 0; shard < shard_count; ++shard)
    rows.push_back({shard, {seen->shards[shard].owner.node, seen->shards[shard].epoch}});
  auto learned = d_.owners.rows_read(rows);
  if (learned.conflicts > 0)
    d_.probe.owners_disagree(learned.conflicts);
  d_.viewed(now, newer);
  if (learned.newer > 0)
    d_.owners_changed();
  if (perform(call, step(*now, facts_of(*seen), self_of(*seen), d_.terms), *seen))
    return;
  std::lock_guard lock{mutex_};
  if (call == calls_)
    under_way_ = false;
}

observed pilot::facts_of(const cluster_reading& seen) const {
  observed facts;
  facts.database_now_us = seen.database_now_us;
  facts.votes = seen.votes;
  for (auto& row : seen.shards)
    facts.shards.push_back({row.this_generation ? row.owner : member_id{}});
  std::lock_guard lock{mutex_};
  facts.boot_now_us = asked_boot_us_;
  for (auto& [node, reading] : peers_)
    facts.peers.push_back(reading);
  return facts;
}

self_state pilot::self_of(const cluster_reading& seen) const {
  self_state self;
  self.id = d_.self;
  self.build_level = d_.build_level;
  self.beating = d_.beating();
  self.serving = d_.right.valid();
  self.steady_since_us = d_.right.steady_since_us();
  self.clock_offset_us = d_.right.clock_offset_us();
  self.draining = d_.moves.leaving();
  std::lock_guard lock{mutex_};
  self.wanted = wanted_ == wish::belong && seen.drain ? wish::drain : wanted_;
  return self;
}

// -- performing -----------------------------------------------------------------------------

/// Takes and releases all, and the first of what changes the membership; the rest is judged anew.
/// True: its answer is waited for.
bool pilot::perform(std::uint64_t call, const std::vector<action>& actions,
                    const cluster_reading& seen) {
  bool asked = false;
  for (auto& what : actions) {
    auto done = [this, call, what, guard = gate_](std::variant<swap, error> how) {
      gate::pass inside{*guard};
      if (inside)
        performed(call, what, how);
    };
    auto change = [&](auto&& ask) {
      if (std::exchange(asked, true))
        return;
      {
        std::lock_guard lock{mutex_};
        if (call != calls_)
          return; // given up meanwhile: another one is under way
        asked_ = d_.time.steady();
      }
      ask();
    };
    auto move_to = [&](member_status from, member_status to, const char* why) {
      change([&] { d_.db.change(from, to, why, seen.now.version, done); });
    };
    const auto* mine = seen.now.find(d_.self);
    const auto status = mine != nullptr ? mine->status : member_status::joining;
    std::visit(overloaded{
                   [](const renew_lease&) {}, // the lease's own thread does
                   [](const join&) {},        // done before there is a pilot
                   [&](const activate&) { move_to(status, member_status::active, "joined"); },
                   [&](const begin_leave&) { move_to(status, member_status::leaving, "asked to"); },
                   [&](const stay&) { move_to(status, member_status::active, "asked to stay"); },
                   [&](const leave&) { move_to(status, member_status::left, "stopped in order"); },
                   [&](const vote_against& x) { change([&] { d_.db.vote(x.peer, done); }); },
                   [&](const withdraw_vote& x) { change([&] { d_.db.withdraw(x.peer, done); }); },
                   [&](const declare_dead& x) { change([&] { d_.db.declare(x, done); }); },
                   [&](const stop_self& x) { end(x.reason); },
                   [&](const release& x) { d_.moves.release(x.shards); },
                   [&](const take& x) { d_.moves.take(x.shards, seen); },
               },
               what);
  }
  return asked;
}

void pilot::performed(std::uint64_t call, const action& what,
                      const std::variant<swap, error>& how) {
  auto* got = std::get_if<swap>(&how);
  {
    std::lock_guard lock{mutex_};
    if (call != calls_)
      return;
    under_way_ = false;
    next_read_ = d_.time.steady(); // whatever came of it: read again
  }
  d_.probe.acted(what, got != nullptr ? *got : swap::stale);
}

void pilot::end(stop_reason why) {
  {
    std::lock_guard lock{mutex_};
    if (std::exchange(ended_, true))
      return;
  }
  d_.stop(why);
}

// -- told -------------------------------------------------------------------------------------

void pilot::peer(const member_id& peer, bool reachable) {
  std::lock_guard lock{mutex_};
  auto& known = peers_[peer.node];
  if (known.peer != peer || known.reachable != reachable)
    known = {peer, reachable, d_.time.boot_us()};
}

void pilot::want(wish w) {
  {
    std::lock_guard lock{mutex_};
    wanted_ = w;
  }
  read_soon();
}

std::shared_ptr<const view> pilot::now() const {
  std::lock_guard lock{mutex_};
  return now_;
}

std::vector<vote> pilot::votes() const {
  std::lock_guard lock{mutex_};
  return votes_;
}

std::chrono::milliseconds pilot::reading_age() const {
  std::lock_guard lock{mutex_};
  return std::chrono::duration_cast<std::chrono::milliseconds>(d_.time.steady() - read_at_);
}

bool pilot::keeps_lease() {
  const std::chrono::microseconds ttl{d_.terms.ttl_us};
  const auto now = d_.time.steady();
  const bool held = d_.right.valid();
  std::lock_guard lock{mutex_};
  if (held)
    lapsed_since_.reset();
  else if (!lapsed_since_)
    lapsed_since_ = now;
  const bool reads = now - read_at_ < ttl;
  const bool long_lapsed = lapsed_since_ && now - *lapsed_since_ >= ttl;
  return reads || (long_lapsed && now - asked_ < ttl);
}

} // namespace rahat::cluster
