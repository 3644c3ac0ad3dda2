#include "apps/rahatd/store_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <vector>

namespace rahat {

namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using buckets = prometheus::Histogram::BucketBoundaries;

const buckets second_buckets{2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.25, 1, 5};
const buckets size_buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};

class store_metrics final : public pg::store_probe {
public:
  store_metrics(prometheus::Registry& r, unsigned writers)
      : commit_seconds_(
            histogram(r, "rahat_commit_seconds", "One batch in the database", second_buckets)),
        batch_commits_(histogram(r, "rahat_db_batch_commits", "Commits in a batch", size_buckets)),
        batch_rows_(histogram(r, "rahat_db_batch_rows", "Rows in a batch", size_buckets)),
        load_seconds_(histogram(r, "rahat_entity_load_seconds",
                                "Reading an entity's snapshot and tail", second_buckets)),
        read_seconds_(histogram(r, "rahat_db_read_seconds", "One read", second_buckets)),
        commits_(counter(r, "rahat_commits_total", "Commits that landed")),
        splits_(counter(r, "rahat_batch_splits_total", "Batches tried again in halves")),
        fenced_(counter(r, "rahat_fenced_writes_total",
                        "Commits refused by the fence; above 0 only in failures")),
        rejected_(counter(r, "rahat_rejected_writes_total", "Commits refused for their own rows")),
        superseded_(counter(r, "rahat_superseded_writes_total", "Commits behind a failed one")),
        given_up_(counter(r, "rahat_given_up_writes_total",
                          "Commits given up: the server refused them for its own condition")),
        retried_(counter(r, "rahat_retried_batches_total", "Batches that were sent again")),
        in_doubt_landed_(in_doubt(r, "committed")),
        in_doubt_lost_(in_doubt(r, "not_committed")),
        connects_(counter(r, "rahat_db_connects_total", "Connections made")),
        connect_failures_(counter(r, "rahat_db_connect_failures_total", "Connections refused")),
        read_failures_(counter(r, "rahat_db_read_failures_total", "Reads that failed")),
        read_overloads_(counter(r, "rahat_db_read_overloads_total", "Reads refused at the bound")),
        reader_queue_(BuildGauge()
                          .Name("rahat_db_reads_waiting")
                          .Help("Reads that wait for a connection")
                          .Register(r)
                          .Add({})),
        housekeeping_failures_(
            counter(r, "rahat_housekeeping_failures_total", "Housekeeping that is tried again")),
        housekeeping_drops_(
            counter(r, "rahat_housekeeping_drops_total", "Housekeeping dropped at its bound")),
        outbox_deleted_(counter(r, "rahat_outbox_deleted_total", "Acknowledged messages deleted")) {
    auto& commits = BuildGauge()
                        .Name("rahat_writer_queue_commits")
                        .Help("Commits in front of a writer, in flight included")
                        .Register(r);
    auto& bytes = BuildGauge()
                      .Name("rahat_writer_queue_bytes")
                      .Help("Bytes in front of a writer")
                      .Register(r);
    for (unsigned w = 0; w < writers; ++w) {
      queue_commits_.push_back(&commits.Add({{"writer", std::to_string(w)}}));
      queue_bytes_.push_back(&bytes.Add({{"writer", std::to_string(w)}}));
    }
  }

  void commit_finished(double seconds, std::size_t commits, std::size_t rows) override {
    commit_seconds_.Observe(seconds);
    batch_commits_.Observe(static_cast<double>(commits));
    batch_rows_.Observe(static_cast<double>(rows));
    commits_.Increment(static_cast<double>(commits));
  }
  void batch_split() override { splits_.Increment(); }
  void commit_fenced(std::size_t n) override { fenced_.Increment(static_cast<double>(n)); }
  void commit_rejected() override { rejected_.Increment(); }
  void commit_superseded() override { superseded_.Increment(); }
  void commits_given_up(std::size_t n) override { given_up_.Increment(static_cast<double>(n)); }
  void commit_retried() override { retried_.Increment(); }
  void unknown_outcome_resolved(bool committed) override {
    (committed ? in_doubt_landed_ : in_doubt_lost_).Increment();
  }
  void writer_queue(unsigned writer, std::size_t commits, std::int64_t bytes) override {
    if (writer >= queue_commits_.size())
      return;
    queue_commits_[writer]->Set(static_cast<double>(commits));
    queue_bytes_[writer]->Set(static_cast<double>(bytes));
  }
  void connected(bool) override { connects_.Increment(); }
  void connect_failed() override { connect_failures_.Increment(); }
  void load_finished(double seconds, std::size_t) override { load_seconds_.Observe(seconds); }
  void read_finished(double seconds) override { read_seconds_.Observe(seconds); }
  void read_failed() override { read_failures_.Increment(); }
  void read_overloaded() override { read_overloads_.Increment(); }
  void reader_queue(std::size_t jobs) override { reader_queue_.Set(static_cast<double>(jobs)); }
  void housekeeping_failed() override { housekeeping_failures_.Increment(); }
  void housekeeping_dropped() override { housekeeping_drops_.Increment(); }
  void outbox_deleted(std::size_t rows) override {
    outbox_deleted_.Increment(static_cast<double>(rows));
  }

private:
  static prometheus::Counter& counter(prometheus::Registry& r, const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Register(r).Add({});
  }
  static prometheus::Histogram& histogram(prometheus::Registry& r, const char* name,
                                          const char* help, const buckets& b) {
    return BuildHistogram().Name(name).Help(help).Register(r).Add({}, b);
  }
  static prometheus::Counter& in_doubt(prometheus::Registry& r, const char* outcome) {
    return BuildCounter()
        .Name("rahat_unknown_outcomes_total")
        .Help("Batches in doubt after a lost connection, by what had happened")
        .Register(r)
        .Add({{"outcome", outcome}});
  }

  prometheus::Histogram& commit_seconds_;
  prometheus::Histogram& batch_commits_;
  prometheus::Histogram& batch_rows_;
  prometheus::Histogram& load_seconds_;
  prometheus::Histogram& read_seconds_;
  prometheus::Counter& commits_;
  prometheus::Counter& splits_;
  prometheus::Counter& fenced_;
  prometheus::Counter& rejected_;
  prometheus::Counter& superseded_;
  prometheus::Counter& given_up_;
  prometheus::Counter& retried_;
  prometheus::Counter& in_doubt_landed_;
  prometheus::Counter& in_doubt_lost_;
  prometheus::Counter& connects_;
  prometheus::Counter& connect_failures_;
  prometheus::Counter& read_failures_;
  prometheus::Counter& read_overloads_;
  prometheus::Gauge& reader_queue_;
  prometheus::Counter& housekeeping_failures_;
  prometheus::Counter& housekeeping_drops_;
  prometheus::Counter& outbox_deleted_;
  std::vector<prometheus::Gauge*> queue_commits_; // by writer
  std::vector<prometheus::Gauge*> queue_bytes_;
};

} // namespace

std::unique_ptr<pg::store_probe> make_store_metrics(prometheus::Registry& registry,
                                                    unsigned writers) {
  return std::make_unique<store_metrics>(registry, writers);
}

} // namespace rahat
