#pragma once

#include "runtime/decider/kind.hpp"
#include "tests/unit/actors/support/describe.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Decider tests in the form: given these events, when this comes, then that.
///
///   auto out = given<project>({created(), activated()}).by("maker").when(suspend("flood"));
///   EXPECT_FALSE(out.error);
///   EXPECT_EQ(out.events(), "status_changed");
///   EXPECT_EQ(out.after.status(), pb::PROJECT_SUSPENDED);
namespace rahat::testing {

inline constexpr std::int64_t test_now_us = 1'800'000'000'000'000;

template <class D>
struct outcome_of {
  typename D::state before;
  typename D::state after; // == before when a plain error came back
  decision made;
  std::optional<error> refusal; // a plain error, or one that came with events
  bool plain_error = false;

  std::string events() const { return joined(events_of(made)); }
  std::string effects() const { return joined(effects_of(made)); }
  /// The stable name of the error, empty if there is none.
  std::string error_name() const {
    return refusal ? std::string(to_string(refusal->code)) : std::string();
  }
};

template <class D>
class given {
public:
  explicit given(const std::vector<typename D::event>& events = {}) {
    ctx_.self = {std::string(D::name), derive_id({"test", D::name})};
    ctx_.who = {"maker", "maker"};
    ctx_.now_us = test_now_us;
    ctx_.request_id = derive_id({"request", "1"});
    for (auto& event : events)
      D::evolve(state_, event);
  }

  explicit given(typename D::state state) : given() { state_ = std::move(state); }

  given& as(entity_ref self) { return ctx_.self = std::move(self), *this; }
  given& by(std::string user, std::string role = "maker") {
    return ctx_.who = {std::move(user), std::move(role)}, *this;
  }
  given& from(entity_ref source) {
    ctx_.source = std::move(source);
    ctx_.who = {ctx_.source.str(), "entity"};
    ctx_.request_id = {};
    return *this;
  }
  given& at(std::int64_t now_us) { return ctx_.now_us = now_us, *this; }
  given& request(uuid id) { return ctx_.request_id = id, *this; }
  given& feed(wire::Feed rows) {
    feed_ = std::move(rows);
    return *this;
  }

  outcome_of<D> when(const typename D::command& ask) const {
    auto made = D::decide(state_, ask, ctx_);
    if (auto* refused = std::get_if<error>(&made)) {
      outcome_of<D> out{state_, state_, {}, *refused, true};
      return out;
    }
    return evolved(std::get<decision>(std::move(made)));
  }
  outcome_of<D> told(const typename D::message& message) const {
    return evolved(D::told(state_, message, ctx_));
  }
  outcome_of<D> credited(const wire::Credit& credit) const {
    return evolved(D::credited(state_, credit, ctx_));
  }
  outcome_of<D> fired(std::string_view timer) const {
    return evolved(D::fired(state_, timer, ctx_));
  }
  outcome_of<D> proceed() const {
    auto ctx = ctx_;
    if (feed_)
      ctx.feed = &*feed_;
    return evolved(D::proceed(state_, ctx));
  }

  const typename D::state& state() const { return state_; }
  const context& ctx() const { return ctx_; }

private:
  outcome_of<D> evolved(decision made) const {
    outcome_of<D> out{state_, state_, std::move(made), std::nullopt, false};
    out.refusal = out.made.refusal();
    for (auto& event : out.made.events())
      D::evolve(out.after,
                detail::parsed<typename D::event>(event.bytes, "an event is unreadable"));
    return out;
  }

  typename D::state state_;
  context ctx_;
  std::optional<wire::Feed> feed_;
};

} // namespace rahat::testing
