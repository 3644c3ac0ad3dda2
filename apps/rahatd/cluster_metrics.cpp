#include "apps/rahatd/cluster_metrics.hpp"

#include "runtime/telemetry/log.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>

namespace rahat {

namespace {

using prometheus::Registry;
using buckets = prometheus::Histogram::BucketBoundaries;

const buckets second_buckets{1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.25, 1, 5};

prometheus::Counter& counter(Registry& r, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(r).Add({});
}

prometheus::Family<prometheus::Counter>& counters(Registry& r, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(r);
}

prometheus::Gauge& gauge(Registry& r, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(r).Add({});
}

prometheus::Histogram& seconds(Registry& r, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(r).Add({}, second_buckets);
}

std::string name_of(const cluster::action& what) {
  auto text = cluster::to_string(what);
  return text.substr(0, text.find(' '));
}

std::string name_of(swap how) {
  return how == swap::done ? "done" : how == swap::stale ? "stale" : "refused";
}

class pilot_metrics final : public cluster::pilot_probe {
public:
  explicit pilot_metrics(Registry& r)
      : read_(seconds(r, "rahat_cluster_read_seconds", "Reading view, votes and shard rows")),
        failed_(counter(r, "rahat_cluster_read_failures_total", "Readings that failed")),
        acted_(counters(r, "rahat_cluster_actions_total", "Changes of the membership, tried")),
        disagree_(counter(r, "rahat_cluster_owner_conflicts_total",
                          "Two owners of one epoch were heard of; always 0")) {}

  void read(double s) override { read_.Observe(s); }
  void read_failed(const std::string&) override { failed_.Increment(); }
  void acted(const cluster::action& what, swap how) override {
    acted_.Add({{"action", name_of(what)}, {"outcome", name_of(how)}}).Increment();
  }
  void owners_disagree(std::uint32_t rows) override { disagree_.Increment(rows); }

private:
  prometheus::Histogram& read_;
  prometheus::Counter& failed_;
  prometheus::Family<prometheus::Counter>& acted_;
  prometheus::Counter& disagree_;
};

class mover_metrics final : public cluster::mover_probe {
public:
  explicit mover_metrics(Registry& r)
      : taken_(counters(r, "rahat_shards_taken_total", "Shards that this node took")),
        handed_(seconds(r, "rahat_shard_hand_over_seconds",
                        "From the end of a shard's admission to its release")),
        fenced_(counter(r, "rahat_shards_fenced_total", "Shards that were found taken by another")),
        cut_(counter(r, "rahat_shard_drains_cut_total", "Drains that took too long")),
        sessions_(counter(r, "rahat_dead_sessions_ended_total", "Database sessions of dead nodes")),
        stay_(counter(r, "rahat_dead_sessions_stay_total",
                      "Times that a dead node's sessions did not end")) {}

  void shard_taken(shard_id, bool of_the_dead) override {
    taken_.Add({{"from", of_the_dead ? "dead" : "free"}}).Increment();
  }
  void shard_released(shard_id, double s) override { handed_.Observe(s); }
  void shard_fenced(shard_id) override { fenced_.Increment(); }
  void drain_cut_short(shard_id) override { cut_.Increment(); }
  void sessions_ended(const cluster::member_id&, int n) override { sessions_.Increment(n); }
  void sessions_stay(const cluster::member_id& of, const std::string& why) override {
    stay_.Increment();
    log::warning("dead_sessions_stay",
                 {{"member", std::string_view{of.str()}}, {"reason", std::string_view{why}}});
  }

private:
  prometheus::Family<prometheus::Counter>& taken_;
  prometheus::Histogram& handed_;
  prometheus::Counter& fenced_;
  prometheus::Counter& cut_;
  prometheus::Counter& sessions_;
  prometheus::Counter& stay_;
};

class router_metrics final : public cluster::router_probe {
public:
  explicit router_metrics(Registry& r)
      : hop_(seconds(r, "rahat_cluster_hop_seconds", "A call to another node, until its answer")),
        hops_(counters(r, "rahat_cluster_hops_total", "Calls to other nodes")),
        waiting_(gauge(r, "rahat_cluster_calls_waiting", "Calls that wait for a shard's owner")),
        again_(counters(r, "rahat_cluster_calls_again_total", "Calls sent on their way again")),
        lost_(counters(r, "rahat_cluster_messages_lost_total",
                       "Messages between nodes that their outbox sends again")),
        live_sent_(counter(r, "rahat_cluster_live_events_sent_total",
                           "Live events sent to nodes where somebody follows them")),
        live_heard_(counter(r, "rahat_cluster_live_events_heard_total",
                            "Live events that came from other nodes")),
        live_dropped_(counter(r, "rahat_cluster_live_events_dropped_total",
                              "Live events without room on their link; the journal has them")),
        live_gaps_(counters(r, "rahat_cluster_live_gaps_total",
                            "Shards whose live events may have been missed")) {}

  void hop_finished(std::string_view what, std::string_view outcome, double s) override {
    hop_.Observe(s);
    hops_.Add({{"what", std::string{what}}, {"outcome", std::string{outcome}}}).Increment();
  }
  void call_waits(std::size_t now) override { waiting_.Set(static_cast<double>(now)); }
  void call_again(std::string_view why) override {
    again_.Add({{"reason", std::string{why}}}).Increment();
  }
  void message_lost(std::string_view why) override {
    lost_.Add({{"reason", std::string{why}}}).Increment();
  }
  void live_event_sent() override { live_sent_.Increment(); }
  void live_event_heard() override { live_heard_.Increment(); }
  void live_event_dropped() override { live_dropped_.Increment(); }
  void live_gap(std::string_view why, std::size_t shards) override {
    live_gaps_.Add({{"reason", std::string{why}}}).Increment(static_cast<double>(shards));
  }

private:
  prometheus::Histogram& hop_;
  prometheus::Family<prometheus::Counter>& hops_;
  prometheus::Gauge& waiting_;
  prometheus::Family<prometheus::Counter>& again_;
  prometheus::Family<prometheus::Counter>& lost_;
  prometheus::Counter& live_sent_;
  prometheus::Counter& live_heard_;
  prometheus::Counter& live_dropped_;
  prometheus::Family<prometheus::Counter>& live_gaps_;
};

class mesh_metrics final : public cluster::mesh_probe {
public:
  explicit mesh_metrics(Registry& r)
      : dials_(counter(r, "rahat_cluster_dials_total", "Dials of other nodes")),
        dial_failures_(counter(r, "rahat_cluster_dial_failures_total", "Dials that failed")),
        links_(gauge(r, "rahat_cluster_links", "Proven links to other nodes")),
        ended_(counters(r, "rahat_cluster_links_ended_total", "Links that ended")),
        strangers_(counter(r, "rahat_cluster_stranger_messages_total",
                           "Messages without their link's secret, dropped")),
        refused_(counter(r, "rahat_cluster_channels_refused_total",
                         "Channels closed at once: too many had not proven who they are")),
        beat_(seconds(r, "rahat_cluster_round_trip_seconds", "A beat to another node and back")),
        sent_(counter(r, "rahat_cluster_sent_bytes_total", "Bytes sent to other nodes")),
        received_(counter(r, "rahat_cluster_received_bytes_total", "Bytes from other nodes")),
        unsent_(counters(r, "rahat_cluster_frames_not_sent_total", "Frames that found no way")),
        threw_(counter(r, "rahat_cluster_link_errors_total",
                       "Errors of this program while it told of links and frames; always 0")) {}

  void dial_started() override { dials_.Increment(); }
  void dial_failed() override { dial_failures_.Increment(); }
  void link_came(std::size_t now) override { links_.Set(static_cast<double>(now)); }
  void link_ended(std::string_view why, bool was_up, std::size_t now) override {
    links_.Set(static_cast<double>(now));
    if (was_up)
      ended_.Add({{"reason", std::string{why}}}).Increment();
  }
  void stranger_heard(std::size_t messages) override {
    strangers_.Increment(static_cast<double>(messages));
  }
  void channel_refused() override { refused_.Increment(); }
  void beat_answered(double s) override { beat_.Observe(s); }
  void frame_sent(std::size_t bytes) override { sent_.Increment(static_cast<double>(bytes)); }
  void frame_received(std::size_t bytes) override {
    received_.Increment(static_cast<double>(bytes));
  }
  void frame_not_sent(std::string_view why) override {
    unsent_.Add({{"reason", std::string{why}}}).Increment();
  }
  void call_threw(std::string_view why) override {
    threw_.Increment();
    log::error("cluster_link_error", {{"reason", why}});
  }

private:
  prometheus::Counter& dials_;
  prometheus::Counter& dial_failures_;
  prometheus::Gauge& links_;
  prometheus::Family<prometheus::Counter>& ended_;
  prometheus::Counter& strangers_;
  prometheus::Counter& refused_;
  prometheus::Histogram& beat_;
  prometheus::Counter& sent_;
  prometheus::Counter& received_;
  prometheus::Family<prometheus::Counter>& unsent_;
  prometheus::Counter& threw_;
};

} // namespace

struct cluster_metrics::impl {
  explicit impl(Registry& r)
      : membership(r),
        moves(r),
        routes(r),
        links(r),
        active(gauge(r, "rahat_cluster_members_active", "Members that own shards")),
        running(gauge(r, "rahat_cluster_members", "Members that are neither left nor dead")),
        version(gauge(r, "rahat_cluster_view_version", "Version of the view last read")),
        reading_age(gauge(r, "rahat_cluster_reading_age_seconds",
                          "Since view, votes and shard rows were last read")),
        open(gauge(r, "rahat_shards_open", "Shards that this node serves")),
        moving(gauge(r, "rahat_shards_moving", "Shards on their way to or from this node")),
        unowned(gauge(r, "rahat_shards_unowned", "Shards that nobody owns")) {}

  pilot_metrics membership;
  mover_metrics moves;
  router_metrics routes;
  mesh_metrics links;
  prometheus::Gauge& active;
  prometheus::Gauge& running;
  prometheus::Gauge& version;
  prometheus::Gauge& reading_age;
  prometheus::Gauge& open;
  prometheus::Gauge& moving;
  prometheus::Gauge& unowned;
};

cluster_metrics::cluster_metrics(Registry& registry) : impl_(std::make_unique<impl>(registry)) {}
cluster_metrics::~cluster_metrics() = default;

cluster::pilot_probe& cluster_metrics::membership() {
  return impl_->membership;
}
cluster::mover_probe& cluster_metrics::moves() {
  return impl_->moves;
}
cluster::router_probe& cluster_metrics::routes() {
  return impl_->routes;
}
cluster::mesh_probe& cluster_metrics::links() {
  return impl_->links;
}

void cluster_metrics::members(std::size_t active, std::size_t running, std::int64_t view_version) {
  impl_->active.Set(static_cast<double>(active));
  impl_->running.Set(static_cast<double>(running));
  impl_->version.Set(static_cast<double>(view_version));
}

void cluster_metrics::reading_age(double seconds) {
  impl_->reading_age.Set(seconds);
}

void cluster_metrics::shards(std::size_t open, std::size_t moving, std::size_t unowned) {
  impl_->open.Set(static_cast<double>(open));
  impl_->moving.Set(static_cast<double>(moving));
  impl_->unowned.Set(static_cast<double>(unowned));
}

} // namespace rahat
