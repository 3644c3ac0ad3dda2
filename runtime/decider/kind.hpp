#pragma once

#include "runtime/decider/context.hpp"
#include "runtime/decider/decision.hpp"

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How the runtime sees an aid kind without knowing it.
///
/// A kind is a struct `D` of static functions, see docs/kinds.md:
///
///   static constexpr std::string_view name;          // "disbursement"; never changes
///   static constexpr std::uint32_t evolve_version;   // raised whenever evolve or state change
///   using state, command, message, event, answer = ...; // Protobuf
///   static result decide(const state&, const command&, const context&);
///   static decision told(const state&, const message&, const context&);     // never refuses
///   static decision credited(const state&, const wire::Credit&, const context&);
///   static void evolve(state&, const event&);         // throws broken_invariant if unknown
///   static query_keys keys(const state&);
///   static std::vector<owned_total> totals(const state&); // known balances, one sum a currency
///
/// and, if an entity may have commits before clients can see it (it answered somebody who asked, it
/// sent money back; a batch that is still enrolling):
///
///   static bool exists(const state&); // false: clients get not_found, lists leave it out
///
/// and, if it does work of its own:
///
///   static bool has_work(const state&);
///   static std::optional<feed_request> feed_for(const state&);
///   static decision proceed(const state&, const context&); // empty: waiting for somebody else
///   static decision fired(const state&, std::string_view timer, const context&);
namespace rahat {

/// The sum of the known balances of one owner in one currency.
struct owned_total {
  std::string currency;
  std::int64_t amount_minor = 0;

  bool operator==(const owned_total&) const = default;
};

/// One entity's state with its decider bound to it. Not thread-safe: it belongs to its host.
class model {
public:
  virtual ~model() = default;

  virtual result decide(std::string_view command, const context& ctx) const = 0;
  virtual decision told(std::string_view message, const context& ctx) const = 0;
  virtual decision credited(const wire::Credit& credit, const context& ctx) const = 0;
  virtual decision fired(std::string_view timer, const context& ctx) const = 0;
  virtual bool has_work() const = 0;
  virtual std::optional<feed_request> feed_for() const = 0;
  virtual decision proceed(const context& ctx) const = 0;

  /// Throws broken_invariant when the event cannot be read or is not known.
  virtual void evolve(std::string_view event) = 0;

  virtual std::string save() const = 0;
  virtual void load(std::string_view state) = 0;

  /// The JSON that clients see of the entity; `version` is its seq.
  virtual std::string view(const entity_ref& self, std::uint64_t version) const = 0;

  /// The JSON of an Answer.
  virtual std::string render(std::string_view answer) const = 0;

  /// Whether clients see the entity; without commits it is never asked.
  virtual bool exists() const = 0;

  virtual query_keys keys() const = 0;
  virtual std::vector<owned_total> totals() const = 0;
};

/// A registered kind: makes models. Lives as long as the process.
class kind {
public:
  virtual ~kind() = default;
  virtual std::string_view name() const = 0;
  virtual std::uint32_t evolve_version() const = 0;
  virtual std::unique_ptr<model> create() const = 0;
};

/// How a kind looks to clients; supplied by gateways/rest, so that deciders know no JSON.
template <class D>
struct presenter {
  std::string (*view)(const typename D::state&, const entity_ref& self, std::uint64_t version);
  std::string (*render)(const typename D::answer&);
};

namespace detail {

template <class Message>
Message parsed(std::string_view bytes, const char* what) {
  Message m;
  must_hold(m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())), what);
  return m;
}

template <class D>
class model_of final : public model {
public:
  explicit model_of(presenter<D> show) : show_(show) {}

  result decide(std::string_view command, const context& ctx) const override {
    return D::decide(state_, parsed<typename D::command>(command, "a command is unreadable"), ctx);
  }

  decision told(std::string_view message, const context& ctx) const override {
    return D::told(state_, parsed<typename D::message>(message, "a message is unreadable"), ctx);
  }

  decision credited(const wire::Credit& credit, const context& ctx) const override {
    return D::credited(state_, credit, ctx);
  }

  decision fired(std::string_view timer, const context& ctx) const override {
    if constexpr (requires { D::fired(state_, timer, ctx); })
      return D::fired(state_, timer, ctx);
    else
      return {};
  }

  bool has_work() const override {
    if constexpr (requires { D::has_work(state_); })
      return D::has_work(state_);
    else
      return false;
  }

  std::optional<feed_request> feed_for() const override {
    if constexpr (requires { D::feed_for(state_); })
      return D::feed_for(state_);
    else
      return std::nullopt;
  }

  decision proceed(const context& ctx) const override {
    if constexpr (requires { D::proceed(state_, ctx); })
      return D::proceed(state_, ctx);
    else
      return {};
  }

  void evolve(std::string_view event) override {
    D::evolve(state_, parsed<typename D::event>(event, "an event is unreadable"));
  }

  std::string save() const override { return state_.SerializeAsString(); }

  void load(std::string_view state) override {
    state_ = parsed<typename D::state>(state, "a snapshot is unreadable");
  }

  std::string view(const entity_ref& self, std::uint64_t version) const override {
    return show_.view(state_, self, version);
  }

  std::string render(std::string_view answer) const override {
    return show_.render(parsed<typename D::answer>(answer, "an answer is unreadable"));
  }

  bool exists() const override {
    if constexpr (requires { D::exists(state_); })
      return D::exists(state_);
    else
      return true;
  }

  query_keys keys() const override { return D::keys(state_); }

  std::vector<owned_total> totals() const override { return D::totals(state_); }

private:
  presenter<D> show_;
  typename D::state state_;
};

} // namespace detail

/// Registers a decider with its presenter: `std::make_unique<kind_of<project>>(project_presenter)`.
template <class D>
class kind_of final : public kind {
public:
  explicit kind_of(presenter<D> show) : show_(show) {}

  std::string_view name() const override { return D::name; }
  std::uint32_t evolve_version() const override { return D::evolve_version; }
  std::unique_ptr<model> create() const override {
    return std::make_unique<detail::model_of<D>>(show_);
  }

private:
  presenter<D> show_;
};

} // namespace rahat
