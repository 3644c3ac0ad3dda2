#include "runtime/telemetry/entity_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <array>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace rahat {

namespace {

using labels = std::map<std::string, std::string>;

/// Metrics of one family, found again by their label values without prometheus-cpp's lock and hash.
/// Bounded by the label values that the code knows: kinds, outcomes, reasons.
template <class Metric, class... Extra>
class by_labels {
public:
  by_labels(prometheus::Family<Metric>& family, std::vector<std::string> names, Extra... extra)
      : family_(family), names_(std::move(names)), extra_(std::move(extra)...) {}

  Metric& at(std::initializer_list<std::string_view> values) {
    std::string key;
    for (auto v : values)
      key.append(v).push_back('\x1f');
    {
      std::shared_lock lock{mutex_};
      auto found = known_.find(key);
      if (found != known_.end())
        return *found->second;
    }
    labels all;
    std::size_t i = 0;
    for (auto v : values)
      all.emplace(names_[i++], std::string{v});
    std::unique_lock lock{mutex_};
    auto& metric =
        std::apply([&](auto&... e) -> Metric& { return family_.Add(all, e...); }, extra_);
    return *known_.emplace(std::move(key), &metric).first->second;
  }

private:
  prometheus::Family<Metric>& family_;
  std::vector<std::string> names_;
  std::tuple<Extra...> extra_;
  std::shared_mutex mutex_;
  std::map<std::string, Metric*, std::less<>> known_;
};

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using buckets = prometheus::Histogram::BucketBoundaries;

const buckets turn_buckets{5e-6, 2e-5, 1e-4, 5e-4, 2e-3, 1e-2, 5e-2, 0.25, 1};
const buckets recovery_buckets{1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 30};
const buckets delay_buckets{1e-3, 5e-3, 2e-2, 0.1, 0.5, 2, 10, 60, 300};

class entity_metrics final : public entity_probe {
public:
  explicit entity_metrics(prometheus::Registry& r)
      : running_(BuildGauge().Name("rahat_actor_running").Help("Entities in memory").Register(r),
                 {"type"}),
        mailbox_(BuildGauge()
                     .Name("rahat_actor_mailbox_messages")
                     .Help("Mail that waits to be decided")
                     .Register(r),
                 {"type"}),
        turns_(BuildCounter()
                   .Name("rahat_actor_turns_total")
                   .Help("Decisions taken, by what caused them and how they ended")
                   .Register(r),
               {"type", "message", "outcome"}),
        turn_seconds_(BuildHistogram()
                          .Name("rahat_actor_turn_seconds")
                          .Help("Time to decide and evolve, without the commit")
                          .Register(r),
                      {"type", "message"}, turn_buckets),
        restarts_(BuildCounter()
                      .Name("rahat_actor_restarts_total")
                      .Help("Hosts that were restarted after a failure")
                      .Register(r),
                  {"type", "reason"}),
        parked_(BuildCounter()
                    .Name("rahat_actor_parked_total")
                    .Help("Entities that wait for an operator")
                    .Register(r),
                {"type", "reason"}),
        refused_(BuildCounter()
                     .Name("rahat_actor_mail_refused_total")
                     .Help("Mail that was refused before it was decided")
                     .Register(r),
                 {"type", "reason"}),
        resent_(BuildCounter()
                    .Name("rahat_actor_messages_resent_total")
                    .Help("Outbox messages that were sent again")
                    .Register(r),
                {"type"}),
        repeated_(BuildCounter()
                      .Name("rahat_idempotency_repeats_total")
                      .Help("Client requests that had been decided before")
                      .Register(r),
                  {"type"}),
        dead_letters_(BuildCounter()
                          .Name("rahat_dead_letters_total")
                          .Help("Mail that could not be delivered")
                          .Register(r),
                      {"reason"}),
        recovery_(BuildHistogram()
                      .Name("rahat_recovery_seconds")
                      .Help("From the start of a host to its state being complete")
                      .Register(r),
                  {"type"}, recovery_buckets),
        transfers_(BuildCounter()
                       .Name("rahat_transfers_total")
                       .Help("Transfers committed")
                       .Register(r)
                       .Add({})),
        delay_(
            BuildHistogram()
                .Name("rahat_message_delay_seconds")
                .Help("From the decision of a sender to the commit of the receiver, by receiver; "
                      "for money: from posted to available")
                .Register(r),
            {"type"}, delay_buckets) {}

  void host_started(std::string_view kind) override { running_.at({kind}).Increment(); }
  void host_stopped(std::string_view kind) override { running_.at({kind}).Decrement(); }
  void host_recovered(std::string_view kind, double seconds) override {
    recovery_.at({kind}).Observe(seconds);
  }
  void host_restarted(std::string_view kind, std::string_view reason) override {
    restarts_.at({kind, reason}).Increment();
  }
  void entity_parked(std::string_view kind, std::string_view reason) override {
    parked_.at({kind, reason}).Increment();
  }
  void turn_finished(std::string_view kind, std::string_view what, std::string_view outcome,
                     double seconds) override {
    turns_.at({kind, what, outcome}).Increment();
    turn_seconds_.at({kind, what}).Observe(seconds);
  }
  void mail_posted(std::string_view kind) override { mailbox_.at({kind}).Increment(); }
  void mail_taken(std::string_view kind) override { mailbox_.at({kind}).Decrement(); }
  void mail_refused(std::string_view kind, std::string_view reason) override {
    refused_.at({kind, reason}).Increment();
  }
  void message_sent_again(std::string_view kind) override { resent_.at({kind}).Increment(); }
  void request_repeated(std::string_view kind) override { repeated_.at({kind}).Increment(); }
  void dead_letter(std::string_view reason) override { dead_letters_.at({reason}).Increment(); }
  void transfers_committed(std::uint64_t count) override {
    transfers_.Increment(static_cast<double>(count));
  }
  void message_applied(std::string_view kind, double seconds) override {
    delay_.at({kind}).Observe(seconds);
  }

private:
  by_labels<prometheus::Gauge> running_;
  by_labels<prometheus::Gauge> mailbox_;
  by_labels<prometheus::Counter> turns_;
  by_labels<prometheus::Histogram, buckets> turn_seconds_;
  by_labels<prometheus::Counter> restarts_;
  by_labels<prometheus::Counter> parked_;
  by_labels<prometheus::Counter> refused_;
  by_labels<prometheus::Counter> resent_;
  by_labels<prometheus::Counter> repeated_;
  by_labels<prometheus::Counter> dead_letters_;
  by_labels<prometheus::Histogram, buckets> recovery_;
  prometheus::Counter& transfers_;
  by_labels<prometheus::Histogram, buckets> delay_;
};

} // namespace

std::unique_ptr<entity_probe> make_entity_metrics(prometheus::Registry& registry) {
  return std::make_unique<entity_metrics>(registry);
}

} // namespace rahat
