#include "gateways/http/prometheus_probe.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <thread>

namespace rahat::http::test {
namespace {

std::string text_of(const prometheus_probe& p) {
  return prometheus::TextSerializer{}.Serialize(p.Collect());
}

TEST(prometheus_probe_test, counts_by_route_method_and_code) {
  prometheus_probe p("public");
  p.request_started();
  p.request_started();
  p.request_finished("/v2/projects/{id}", method::get, 200, 0.0002);
  p.request_started();
  p.request_finished("/v2/projects/{id}", method::get, 200, 60);
  p.connection_opened();
  p.limit_hit(limit::body_bytes);
  p.io_fault();
  auto text = text_of(p);
  auto holds = [&](std::string_view line) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  };
  const std::string labels =
      R"({listener="public",route="/v2/projects/{id}",method="GET",code="200")";
  holds("http_server_request_duration_seconds_count" + labels + "} 2");
  holds("http_server_request_duration_seconds_bucket" + labels + ",le=\"0.00025\"} 1");
  holds("http_server_request_duration_seconds_bucket" + labels + ",le=\"+Inf\"} 2");
  holds(R"(http_server_active_requests{listener="public"} 1)");
  holds(R"(http_server_io_faults_total{listener="public"} 1)");
  holds(R"(http_server_connections{listener="public"} 1)");
  holds(R"(http_server_limit_hits_total{listener="public",limit="body_bytes"} 1)");
}

TEST(prometheus_probe_test, loses_nothing_between_threads) {
  prometheus_probe p("x");
  constexpr unsigned each = 20'000;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&p] {
      for (unsigned i = 0; i < each; ++i)
        p.request_finished("/r" + std::to_string(i % 50), method::get, 200 + i % 3, 0.001);
    });
  for (auto& t : threads)
    t.join();
  std::uint64_t total = 0;
  auto families = p.Collect();
  EXPECT_EQ(families[0].metric.size(), 150u);
  for (auto& m : families[0].metric)
    total += m.histogram.sample_count;
  EXPECT_EQ(total, 4u * each);
}

TEST(prometheus_probe_test, is_bounded) {
  prometheus_probe p("x");
  for (std::size_t i = 0; i < prometheus_probe::max_series + 10; ++i)
    p.request_finished("/r" + std::to_string(i), method::get, 200, 0.001);
  auto families = p.Collect();
  EXPECT_EQ(families[0].metric.size(), prometheus_probe::max_series + 1);
  EXPECT_EQ(families[0].metric.back().histogram.sample_count, 10u);
}

} // namespace
} // namespace rahat::http::test
