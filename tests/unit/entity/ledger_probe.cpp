#include "tests/unit/entity/ledger_probe.hpp"

#include <stdexcept>

namespace rahat {

namespace {

using probe::Command;
using probe::Event;

/// A timer of this name cancels the timer "b" when it fires.
constexpr std::string_view canceller = "a-cancels-b";

/// One of this name answers all that wait.
constexpr std::string_view answerer = "answer";

decision with(const Event& e) {
  decision d;
  d.record(e);
  return d;
}

decision tell(const probe::Tell& ask, const context& ctx) {
  Event e;
  *e.mutable_told() = ask;
  auto d = with(e);
  probe::Message m;
  m.set_n(ask.n());
  m.set_spoil(ask.spoil());
  m.set_poison(ask.poison());
  d.tell({"probe", uuid::from_raw(ask.target())}, m, ask.newest() ? ctx.level : 1);
  return d;
}

decision add_level(std::int32_t level) {
  Event e;
  e.mutable_added()->set_n(level);
  decision d;
  d.record(e, level);
  return d;
}

decision answer_all(const ledger_probe::state& now, bool with_view) {
  Event e;
  e.set_answered(true);
  auto d = with(e);
  probe::Answer a;
  if (!with_view)
    a.set_sum(now.sum());
  for (auto& id : now.waiting())
    d.answer_request(uuid::from_raw(id), a);
  return d;
}

decision set_timer(const probe::SetTimer& ask) {
  Event e;
  *e.mutable_timer_set() = ask;
  auto d = with(e);
  if (ask.due_us() == 0)
    d.cancel_timer(ask.name());
  else
    d.set_timer(ask.name(), ask.due_us());
  return d;
}

decision postpone(const context& ctx, bool with_event) {
  decision d;
  if (with_event) {
    Event e;
    e.set_postponed(ctx.request_id.raw());
    d.record(e);
  }
  d.postpone();
  return d;
}

decision add(std::int64_t n, std::int64_t before) {
  Event e;
  e.mutable_added()->set_n(n);
  auto d = with(e);
  probe::Answer a;
  a.set_sum(before + n);
  d.answer(a);
  return d;
}

} // namespace

result ledger_probe::decide(const state& now, const command& ask, const context& ctx) {
  Event e;
  switch (ask.ask_case()) {
    case Command::kAdd: return add(ask.add().n(), now.sum());
    case Command::kFail: throw std::runtime_error("told to fail");
    case Command::kReject: return reject(errc::wrong_status, ask.reject());
    case Command::kRefuseWithEvent: {
      e.set_refused(true);
      auto d = with(e);
      d.refuse({errc::wrong_code, "a wrong code", "code"});
      return d;
    }
    case Command::kTell: return tell(ask.tell(), ctx);
    case Command::kPostpone:
    case Command::kPostponeBare: return postpone(ctx, ask.ask_case() == Command::kPostpone);
    case Command::kAnswer:
    case Command::kAnswerWithView:
      return answer_all(now, ask.ask_case() == Command::kAnswerWithView);
    case Command::kSetTimer: return set_timer(ask.set_timer());
    case Command::kWork: *e.mutable_work_set() = ask.work(); return with(e);
    case Command::kBreakEvent: e.set_broken(true); return with(e);
    case Command::kHalt:
    case Command::kResume: e.set_halted(ask.ask_case() == Command::kHalt); return with(e);
    case Command::kNewest: return add_level(ctx.level);
    case Command::kTooNew: return add_level(ctx.level + 1);
    case Command::kSpoilView: e.set_view_spoilt(true); return with(e);
    default: return decision{};
  }
}

decision ledger_probe::told(const state&, const message& what, const context&) {
  if (what.spoil())
    throw std::runtime_error("a spoilt message");
  Event e;
  if (what.poison())
    e.set_broken(true);
  else
    e.mutable_noted()->set_n(what.n());
  return with(e);
}

decision ledger_probe::credited(const state&, const wire::Credit&, const context&) {
  return {};
}

decision ledger_probe::fired(const state& now, std::string_view timer, const context&) {
  if (timer == answerer)
    return answer_all(now, false);
  Event e;
  e.set_fired(std::string{timer});
  auto d = with(e);
  if (timer == canceller)
    d.cancel_timer("b");
  return d;
}

bool ledger_probe::has_work(const state& now) {
  return now.work().steps() > 0;
}

std::optional<feed_request> ledger_probe::feed_for(const state& now) {
  if (!has_work(now) || !now.work().feed())
    return std::nullopt;
  feed_request ask;
  ask.kind = feed_request::what::upload_rows;
  ask.first = static_cast<std::uint32_t>(now.work().steps());
  ask.last = ask.first;
  return ask;
}

decision ledger_probe::proceed(const state& now, const context& ctx) {
  if (!has_work(now) || now.halted())
    return {};
  must_hold(!now.work().feed() || ctx.feed != nullptr, "a step without its rows");
  Event e;
  e.set_worked(true);
  auto d = with(e);
  if (!now.work().target().empty()) {
    probe::Message m;
    m.set_n(1);
    d.tell({"probe", uuid::from_raw(now.work().target())}, m);
  }
  return d;
}

void ledger_probe::evolve(state& now, const event& happened) {
  switch (happened.what_case()) {
    case Event::kAdded: now.set_sum(now.sum() + happened.added().n()); return;
    case Event::kTold: now.set_told(now.told() + 1); return;
    case Event::kNoted:
      now.set_noted(now.noted() + 1);
      now.set_note_sum(now.note_sum() + happened.noted().n());
      return;
    case Event::kRefused: now.set_refused(now.refused() + 1); return;
    case Event::kPostponed: now.add_waiting(happened.postponed()); return;
    case Event::kAnswered: now.clear_waiting(); return;
    case Event::kTimerSet: return;
    case Event::kFired: now.set_fired(now.fired() + 1); return;
    case Event::kWorkSet: *now.mutable_work() = happened.work_set(); return;
    case Event::kWorked:
      now.mutable_work()->set_steps(now.work().steps() - 1);
      now.set_worked(now.worked() + 1);
      return;
    case Event::kHalted: now.set_halted(happened.halted()); return;
    case Event::kViewSpoilt: now.set_view_spoilt(true); return;
    default: throw broken_invariant("an event that cannot be evolved");
  }
}

query_keys ledger_probe::keys(const state&) {
  return {{}, {}, "open", 1};
}

std::vector<owned_total> ledger_probe::totals(const state&) {
  return {};
}

namespace {

std::string show(const probe::State& s, const entity_ref&, std::uint64_t version) {
  if (s.view_spoilt())
    throw std::runtime_error("a view that cannot be shown");
  auto field = [](const char* name, std::int64_t value) {
    return std::string{"\""} + name + "\":" + std::to_string(value) + ",";
  };
  return "{" + field("sum", s.sum()) + field("noted", s.noted()) + field("note_sum", s.note_sum()) +
         field("fired", s.fired()) + field("refused", s.refused()) + field("told", s.told()) +
         field("worked", s.worked()) + "\"version\":" + std::to_string(version) + "}";
}

std::string render(const probe::Answer& a) {
  return "{\"answer\":" + std::to_string(a.sum()) + "}";
}

} // namespace

entity_ref probe_ref(int number) {
  return {"probe", derive_id({"probe", std::to_string(number)})};
}

std::unique_ptr<kind> probe_kind() {
  return std::make_unique<kind_of<ledger_probe>>(presenter<ledger_probe>{show, render});
}

std::unique_ptr<kind> newer_probe_kind() {
  return std::make_unique<kind_of<newer_ledger_probe>>(presenter<newer_ledger_probe>{show, render});
}

} // namespace rahat
