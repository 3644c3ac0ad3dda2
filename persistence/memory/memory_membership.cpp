#include "persistence/memory/memory_membership.hpp"

namespace rahat {

namespace {

error unavailable(std::string why) {
  return {errc::unavailable, std::move(why), {}};
}

} // namespace

memory_membership::memory_membership(std::shared_ptr<memory_cluster> database,
                                     cluster::member_id me, options how)
    : database_(std::move(database)),
      me_(std::move(me)),
      how_(how),
      generation_(database_->generation()) {}

memory_membership::~memory_membership() {
  stop();
}

void memory_membership::away(bool yes) {
  std::lock_guard guard{mutex_};
  away_ = yes;
}

void memory_membership::slow(std::uint32_t steps) {
  std::lock_guard guard{mutex_};
  slow_ = steps;
}

void memory_membership::lose_answers(std::uint32_t calls) {
  std::lock_guard guard{mutex_};
  lost_answers_ = calls;
}

bool memory_membership::run_one() {
  return step(calls_);
}

bool memory_membership::run_move() {
  return step(moves_);
}

bool memory_membership::run_ending() {
  return step(endings_);
}

std::size_t memory_membership::waiting() const {
  std::lock_guard guard{mutex_};
  return calls_.size() + moves_.size() + endings_.size();
}

void memory_membership::stop() {
  queue refused;
  {
    std::lock_guard guard{mutex_};
    stopped_ = true;
    refused.swap(calls_);
    for (auto* others : {&moves_, &endings_}) {
      for (auto& c : *others)
        refused.push_back(std::move(c));
      others->clear();
    }
  }
  for (auto& c : refused)
    c.refuse(unavailable("the node is stopping"));
}

template <class T>
void memory_membership::ask(queue& where, std::size_t bound, callback<T> done,
                            std::function<std::variant<T, error>()> work) {
  call c{0,
         [done, work](bool heard) {
           auto answer = work();
           if (!heard)
             answer = unavailable("the connection to the database was lost");
           done(std::move(answer));
         },
         [done](error why) { done(std::move(why)); }};
  std::optional<error> refusal;
  {
    std::lock_guard guard{mutex_};
    c.steps = slow_;
    if (stopped_)
      refusal = unavailable("the node is stopping");
    else if (how_.mode == options::drive::manual && where.size() >= bound)
      refusal = error{
          errc::overloaded, std::to_string(bound) + " calls wait for the database already", {}};
    else if (how_.mode == options::drive::manual)
      return where.push_back(std::move(c));
  }
  if (refusal)
    c.refuse(*refusal);
  else
    perform(std::move(c));
}

bool memory_membership::step(queue& where) {
  call next;
  {
    std::lock_guard guard{mutex_};
    if (where.empty())
      return false;
    if (where.front().steps > 0) {
      --where.front().steps;
      return true;
    }
    next = std::move(where.front());
    where.pop_front();
  }
  perform(std::move(next));
  return true;
}

void memory_membership::perform(call c) {
  bool heard = true;
  bool reached = true;
  {
    std::lock_guard guard{mutex_};
    reached = !away_;
    if (reached && lost_answers_ > 0) {
      --lost_answers_;
      heard = false;
    }
  }
  if (!reached)
    c.refuse(unavailable("the database did not answer in time"));
  else if (database_->generation() != generation_)
    c.refuse(unavailable("the database was promoted or restored"));
  else
    c.run(heard);
}

void memory_membership::read(callback<cluster_reading> done) {
  ask<cluster_reading>(calls_, how_.waiting_calls, std::move(done),
                       [this] { return database_->read(me_.node); });
}

void memory_membership::change(cluster::member_status from, cluster::member_status to, std::string,
                               std::int64_t view_version, callback<swap> done) {
  ask<swap>(calls_, how_.waiting_calls, std::move(done),
            [=, this] { return database_->change(me_, from, to, view_version); });
}

void memory_membership::vote(const cluster::member_id& against, callback<swap> done) {
  ask<swap>(calls_, how_.waiting_calls, std::move(done),
            [=, this] { return database_->vote(me_, against); });
}

void memory_membership::withdraw(const cluster::member_id& against, callback<swap> done) {
  ask<swap>(calls_, how_.waiting_calls, std::move(done), [=, this] {
    database_->withdraw(me_, against);
    return swap::done;
  });
}

void memory_membership::declare(const cluster::declare_dead& what, callback<swap> done) {
  ask<swap>(calls_, how_.waiting_calls, std::move(done),
            [=, this] { return database_->declare(me_, what); });
}

void memory_membership::wish(const uuid& node, bool drain, callback<swap> done) {
  ask<swap>(calls_, how_.waiting_calls, std::move(done),
            [=, this] { return database_->wish(node, drain); });
}

void memory_membership::raise_level(std::int32_t to, callback<std::string> done) {
  ask<std::string>(calls_, how_.waiting_calls, std::move(done),
                   [=, this] { return database_->raise_level(to); });
}

void memory_membership::end_sessions(const cluster::member_id& former, callback<int> done) {
  const auto work = [=, this]() -> std::variant<int, error> {
    if (former.node == me_.node && former.incarnation >= me_.incarnation)
      return error{errc::invalid_input, "this start of the node does not end its own sessions", {}};
    if (const auto ended = database_->end_sessions(former))
      return *ended;
    return unavailable("a session of node " + former.str() + " does not end");
  };
  ask<int>(endings_, how_.waiting_endings, std::move(done), work);
}

void memory_membership::take(shard_id shard, callback<std::optional<shard_grant>> done) {
  ask<std::optional<shard_grant>>(moves_, how_.waiting_moves, std::move(done),
                                  [=, this] { return database_->take(me_, shard, generation_); });
}

void memory_membership::release(const shard_grant& as_given_up, callback<swap> done) {
  ask<swap>(moves_, how_.waiting_moves, std::move(done),
            [=, this] { return database_->release(me_, as_given_up, generation_); });
}

} // namespace rahat
