#include "runtime/cluster/driving/mover.hpp"

#include <algorithm>

namespace rahat::cluster {

namespace {

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

} // namespace

std::string_view to_string(shard_phase phase) {
  switch (phase) {
    case shard_phase::away: return "away";
    case shard_phase::ending: return "ending";
    case shard_phase::taking: return "taking";
    case shard_phase::opening: return "opening";
    case shard_phase::open: return "open";
    case shard_phase::draining: return "draining";
    case shard_phase::giving_up: return "giving_up";
    case shard_phase::releasing: return "releasing";
  }
  return "away";
}

mover::mover(dependencies d) : d_(std::move(d)) {}

mover::~mover() {
  stop();
}

void mover::stop() {
  effects_.stop();
  gate_->shut();
}

template <class F>
void mover::change(F&& f) {
  gate::pass inside{*gate_};
  if (!inside)
    return;
  {
    std::lock_guard lock{mutex_};
    f();
  }
  effects_.run();
}

/// A callback for whoever answers, on whatever thread; harmless once the mover has stopped.
template <class... A>
auto mover::answer_to(void (mover::*handler)(shard_id, std::uint64_t, A...), shard_id shard,
                      std::uint64_t turn) {
  return [this, handler, shard, turn, guard = gate_](auto&&... answer) {
    gate::pass inside{*guard};
    if (inside)
      (this->*handler)(shard, turn, std::forward<decltype(answer)>(answer)...);
  };
}

mover::place& mover::go(shard_id shard, shard_phase to) {
  auto& p = places_[shard];
  p.phase = to;
  p.since = d_.time.steady();
  ++p.turn;
  return p;
}

bool mover::current(shard_id shard, std::uint64_t turn) const {
  return places_[shard].turn == turn;
}

// -- taking ---------------------------------------------------------------------------------

void mover::take(const std::vector<shard_id>& shards, const cluster_reading& seen) {
  change([&] {
    for (auto shard : shards) {
      auto& p = places_[shard];
      if (p.phase != shard_phase::away)
        continue;
      const auto& owner = seen.shards[shard].owner;
      // Who released it, or left in order, has nothing on its way. Anybody else may have.
      auto* row = seen.now.find(owner);
      p.dead.reset();
      if (!owner.node.is_nil() && (row == nullptr || row->status != member_status::left))
        p.dead = owner;
      if (p.dead && !formers_[owner].ended) {
        go(shard, shard_phase::ending);
        formers_[owner].wanted.insert(shard);
        end_sessions(owner);
      } else {
        start_taking(shard);
      }
    }
  });
}

void mover::end_sessions(const member_id& of) {
  auto& f = formers_[of];
  if (std::exchange(f.asked, true))
    return;
  effects_.add([this, of] {
    d_.db.end_sessions(of, [this, of, guard = gate_](std::variant<int, error> answer) {
      gate::pass inside{*guard};
      if (inside)
        sessions_answered(of, answer);
    });
  });
}

void mover::sessions_answered(const member_id& of, const std::variant<int, error>& answer) {
  change([&] {
    auto& f = formers_[of];
    f.asked = false;
    f.ended = std::holds_alternative<int>(answer);
    for (auto shard : std::exchange(f.wanted, {})) {
      if (places_[shard].phase != shard_phase::ending)
        continue;
      if (f.ended)
        start_taking(shard);
      else
        go(shard, shard_phase::away); // `step` says it again
    }
    effects_.add([this, of, answer] {
      if (auto* ended = std::get_if<int>(&answer))
        d_.probe.sessions_ended(of, *ended);
      else
        d_.probe.sessions_stay(of, std::get<error>(answer).message);
    });
  });
}

void mover::start_taking(shard_id shard) {
  auto& p = go(shard, shard_phase::taking);
  effects_.add([this, shard, turn = p.turn] {
    d_.db.take(shard, answer_to(&mover::take_answered, shard, turn));
  });
}

void mover::take_answered(shard_id shard, std::uint64_t turn,
                          std::variant<std::optional<shard_grant>, error> answer) {
  change([&] {
    if (!current(shard, turn))
      return;
    auto* grant = std::get_if<std::optional<shard_grant>>(&answer);
    if (grant == nullptr || !*grant) { // not free, or not known: what is read next says it
      const auto known = places_[shard].dead ? formers_.find(*places_[shard].dead) : formers_.end();
      if (grant == nullptr && known != formers_.end())
        known->second.ended = false; // it may have come back and hold the row: end it again
      go(shard, shard_phase::away);
      effects_.add([this] { d_.read_soon(); });
      return;
    }
    auto& p = go(shard, shard_phase::opening);
    p.grant = **grant;
    p.in_doubt.reset();
    effects_.add([this, got = p.grant, now = p.turn, of_the_dead = p.dead.has_value()] {
      d_.probe.shard_taken(got.shard, of_the_dead);
      d_.writers.adopt(got);
      d_.prepare(got.shard, answer_to(&mover::prepared, got.shard, now));
    });
  });
}

void mover::prepared(shard_id shard, std::uint64_t turn) {
  change([&] {
    if (!current(shard, turn))
      return;
    auto& p = go(shard, shard_phase::open);
    effects_.add([this, shard, epoch = p.grant.epoch] {
      d_.hosts.open(shard);
      d_.owners.taken(shard, d_.self.node, epoch);
      d_.opened(shard);
      d_.taken(shard, epoch);
    });
  });
}

// -- releasing --------------------------------------------------------------------------------

void mover::release(const std::vector<shard_id>& shards) {
  change([&] {
    for (auto shard : shards)
      if (places_[shard].phase == shard_phase::open &&
          std::find(to_drain_.begin(), to_drain_.end(), shard) == to_drain_.end())
        to_drain_.push_back(shard);
    start_draining();
  });
}

/// As many as may drain at once.
void mover::start_draining() {
  auto busy = static_cast<std::size_t>(std::count_if(places_.begin(), places_.end(), [](auto& p) {
    return p.phase > shard_phase::open; // closed, and its taker has to wait
  }));
  while (busy < d_.limits.draining && !to_drain_.empty()) {
    const auto shard = to_drain_.front();
    to_drain_.pop_front();
    if (places_[shard].phase != shard_phase::open)
      continue;
    auto& p = go(shard, shard_phase::draining);
    p.closed = p.since;
    p.cut_short = false;
    ++busy;
    effects_.add([this, shard, turn = p.turn] {
      d_.hosts.hand_over(shard, answer_to(&mover::drained, shard, turn));
    });
  }
}

void mover::drained(shard_id shard, std::uint64_t turn) {
  change([&] {
    if (!current(shard, turn))
      return;
    start_giving_up(shard);
  });
}

void mover::start_giving_up(shard_id shard) {
  auto& p = go(shard, shard_phase::giving_up);
  effects_.add([this, shard, now = p.turn, epoch = p.grant.epoch] {
    d_.writers.give_up(shard, epoch, answer_to(&mover::given_up, shard, now));
  });
}

void mover::given_up(shard_id shard, std::uint64_t turn, std::variant<shard_grant, error> answer) {
  change([&] {
    if (!current(shard, turn))
      return;
    if (auto* grant = std::get_if<shard_grant>(&answer)) {
      auto& p = go(shard, shard_phase::releasing);
      p.grant = std::move(*grant);
      p.asked = false;
      ask_release(shard);
    } else {
      lose(shard);
    }
    start_draining();
  });
}

void mover::ask_release(shard_id shard) {
  auto& p = places_[shard];
  if (std::exchange(p.asked, true))
    return;
  p.since = d_.time.steady();
  effects_.add([this, grant = p.grant, turn = p.turn] {
    d_.db.release(grant, answer_to(&mover::release_answered, grant.shard, turn));
  });
}

void mover::release_answered(shard_id shard, std::uint64_t turn,
                             const std::variant<swap, error>& answer) {
  change([&] {
    if (!current(shard, turn))
      return;
    auto& p = places_[shard];
    p.asked = false;
    auto* got = std::get_if<swap>(&answer);
    if (got == nullptr)
      return; // it may have happened: `tick` asks again
    if (*got == swap::done) {
      const auto took = seconds(d_.time.steady() - p.closed);
      effects_.add([this, shard, epoch = p.grant.epoch, took] {
        d_.probe.shard_released(shard, took);
        d_.owners.released(shard, epoch);
        d_.released(shard, epoch);
      });
    } else {
      doubt(shard); // a former try has released it, it was fenced, or its head has moved
    }
    go(shard, shard_phase::away);
    effects_.add([this] { d_.read_soon(); });
    start_draining();
  });
}

// -- losing -----------------------------------------------------------------------------------

/// The row may still say that the shard is ours, and nobody else would take it then. But not every
/// reading tells: the next one may have begun before this.
void mover::doubt(shard_id shard) {
  places_[shard].in_doubt = readings_ + 2;
}

void mover::lose(shard_id shard) {
  go(shard, shard_phase::away);
  doubt(shard);
  std::erase(to_drain_, shard);
  effects_.add([this, shard] {
    d_.probe.shard_fenced(shard);
    d_.hosts.drop(shard);
    d_.read_soon();
  });
}

void mover::fenced(const std::map<shard_id, std::int64_t>& shards) {
  change([&] {
    for (auto& [shard, epoch] : shards)
      if (places_[shard].phase >= shard_phase::opening && places_[shard].grant.epoch == epoch)
        lose(shard);
    start_draining();
  });
}

void mover::rows_read(const cluster_reading& seen) {
  change([&] {
    ++readings_;
    for (shard_id shard = 0; shard < shard_count; ++shard) {
      const auto& row = seen.shards[shard];
      auto& p = places_[shard];
      const bool newer = row.epoch > p.grant.epoch; // else read before we took or released it
      const bool decided = p.in_doubt && readings_ >= *p.in_doubt;
      const bool ours = row.owner == d_.self && row.this_generation;
      if (newer && p.phase >= shard_phase::opening) {
        lose(shard);
      } else if ((newer || decided) && ours && p.phase == shard_phase::away) {
        p.dead.reset();
        start_taking(shard); // the answer to a take was lost, or it is ours against our belief
      }
    }
    start_draining(); // those that were lost have made room
    std::erase_if(formers_, [&seen](auto& known) {
      return !known.second.asked &&
             std::none_of(seen.shards.begin(), seen.shards.end(),
                          [&known](auto& row) { return row.owner == known.first; });
    });
  });
}

void mover::tick() {
  change([&] {
    const auto now = d_.time.steady();
    for (shard_id shard = 0; shard < shard_count; ++shard) {
      auto& p = places_[shard];
      if (p.phase == shard_phase::draining && !p.cut_short && now - p.since >= d_.limits.drain) {
        p.cut_short = true;
        effects_.add([this, shard] {
          d_.probe.drain_cut_short(shard);
          d_.hosts.drop(shard); // which tells that it is drained
        });
      } else if (p.phase == shard_phase::draining && now - p.since >= 2 * d_.limits.drain) {
        start_giving_up(shard); // it has not told: whoever is to take it must not wait for ever
      } else if (p.phase == shard_phase::releasing && now - p.since >= d_.limits.again) {
        ask_release(shard);
      }
    }
  });
}

// -- looking ----------------------------------------------------------------------------------

shard_phase mover::phase(shard_id shard) const {
  std::lock_guard lock{mutex_};
  return places_[shard].phase;
}

std::vector<shard_id> mover::leaving() const {
  std::lock_guard lock{mutex_};
  std::vector<shard_id> out(to_drain_.begin(), to_drain_.end());
  for (shard_id shard = 0; shard < shard_count; ++shard)
    if (places_[shard].phase > shard_phase::open)
      out.push_back(shard);
  return out;
}

std::size_t mover::count(shard_phase phase) const {
  std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(
      std::count_if(places_.begin(), places_.end(), [phase](auto& p) { return p.phase == phase; }));
}

std::size_t mover::held() const {
  std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(std::count_if(
      places_.begin(), places_.end(), [](auto& p) { return p.phase != shard_phase::away; }));
}

} // namespace rahat::cluster
