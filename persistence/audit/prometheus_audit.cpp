#include "persistence/audit/prometheus_audit.hpp"

#include <prometheus/metric_family.h>
#include <string>

namespace rahat {

namespace {

constexpr double us_per_second = 1e6;

class families {
public:
  void gauge(std::string name, std::string help, double value) {
    prometheus::ClientMetric m;
    m.gauge.value = value;
    add(std::move(name), std::move(help), prometheus::MetricType::Gauge, std::move(m));
  }

  void counter(std::string name, std::string help, double value) {
    prometheus::ClientMetric m;
    m.counter.value = value;
    add(std::move(name), std::move(help), prometheus::MetricType::Counter, std::move(m));
  }

  std::vector<prometheus::MetricFamily> take() { return std::move(all_); }

private:
  void add(std::string name, std::string help, prometheus::MetricType type,
           prometheus::ClientMetric m) {
    prometheus::MetricFamily f;
    f.name = std::move(name);
    f.help = std::move(help);
    f.type = type;
    f.metric.push_back(std::move(m));
    all_.push_back(std::move(f));
  }

  std::vector<prometheus::MetricFamily> all_;
};

} // namespace

void prometheus_audit::books_compared(const books_report& report) {
  transfers_ = report.transfers;
  if (!report.complete)
    return; // the last complete comparison stands
  imbalance_ = report.imbalance_minor;
  owners_ = report.owners;
  compared_us_ = report.at_us;
}

void prometheus_audit::follows(bool here) {
  follows_ = here;
}

void prometheus_audit::recounted(const books_report& report) {
  recount_imbalance_ = report.imbalance_minor;
  recounted_us_ = report.at_us;
}

void prometheus_audit::rows_folded(std::uint64_t rows, std::uint64_t behind) {
  folded_ += rows;
  behind_ = behind;
}

void prometheus_audit::verified(const verify_report& report) {
  verified_ = report.ok ? 1 : 0;
  verify_seconds_ = report.seconds;
}

void prometheus_audit::heads_signed(std::uint64_t heads, std::int64_t at_us) {
  heads_ += heads;
  signed_us_ = at_us;
}

void prometheus_audit::pass_failed() {
  ++failed_;
}

std::vector<prometheus::MetricFamily> prometheus_audit::Collect() const {
  families out;
  if (follows_) { // else an old look would pass for the present one
    out.gauge("rahat_books_imbalance_minor_units",
              "Known balances and notices on their way against transfers, absolute; must be 0.",
              static_cast<double>(imbalance_.load()));
    out.gauge("rahat_books_owners", "Owners whose books were compared.",
              static_cast<double>(owners_.load()));
    out.gauge("rahat_books_transfers", "Transfers that the follower has counted.",
              static_cast<double>(transfers_.load()));
    out.gauge("rahat_books_compared_timestamp_seconds", "When the books were last compared.",
              static_cast<double>(compared_us_.load()) / us_per_second);
    out.gauge("rahat_audit_rows_behind", "Journal rows that the follower has not read yet.",
              static_cast<double>(behind_.load()));
  }
  out.counter("rahat_audit_rows_folded_total", "Journal rows that the follower has read.",
              static_cast<double>(folded_.load()));
  out.counter("rahat_audit_passes_failed_total", "Background passes that failed.",
              static_cast<double>(failed_.load()));
  out.counter("rahat_audit_heads_signed_total", "Shard heads that were signed.",
              static_cast<double>(heads_.load()));
  out.gauge("rahat_audit_signed_timestamp_seconds", "When heads were last looked at for signing.",
            static_cast<double>(signed_us_.load()) / us_per_second);
  if (recounted_us_ != 0) {
    out.gauge("rahat_books_recount_imbalance_minor_units",
              "Imbalance found by the last full recount; must be 0.",
              static_cast<double>(recount_imbalance_.load()));
    out.gauge("rahat_books_recounted_timestamp_seconds", "When everything was last counted anew.",
              static_cast<double>(recounted_us_.load()) / us_per_second);
  }
  if (verified_ >= 0) {
    out.gauge("rahat_audit_chain_valid", "1 if the last check of the chain found nothing wrong.",
              verified_.load());
    out.gauge("rahat_audit_verify_seconds", "How long the last check of the chain took.",
              verify_seconds_.load());
  }
  return out.take();
}

} // namespace rahat
