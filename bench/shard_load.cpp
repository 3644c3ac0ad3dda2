#include "bench/shard_load.hpp"

#include <boost/json.hpp>
#include <stdexcept>

namespace rahat::bench {

namespace {

constexpr const char* funding = R"({"amount_minor":1000,"currency":"NPR","reference":"bench"})";
constexpr std::size_t most_projects = 20'000; // 256 shards are all met after some 1,600
constexpr std::chrono::milliseconds retry_pause{20};
constexpr std::chrono::milliseconds look_every{5};
constexpr double give_up_seconds = 60;
constexpr std::chrono::seconds call_limit{30};

} // namespace

std::map<shard_id, std::string> project_a_shard(api& node) {
  std::map<shard_id, std::string> out;
  for (std::size_t made = 0; out.size() < shard_count; ++made) {
    if (made == most_projects)
      throw std::runtime_error("no project falls into some of the shards");
    auto id = text_of(
        node.post("/v2/projects", R"({"name":"Shard","type":"cash","currency":"NPR"})"), "id");
    if (out.emplace(shard_of({"project", uuid::parse(id).value()}), id).second)
      node.post("/v2/projects/" + id + "/activate");
  }
  return out;
}

std::map<shard_id, std::string> only(const std::map<shard_id, std::string>& projects,
                                     const std::set<shard_id>& shards) {
  std::map<shard_id, std::string> out;
  for (auto shard : shards)
    out.emplace(shard, projects.at(shard));
  return out;
}

funding_client::funding_client(const std::vector<std::string>& urls, std::size_t first,
                               const std::string& token)
    : at_(first % urls.size()) {
  for (auto& url : urls)
    nodes_.push_back(std::make_unique<ctl::client>(url, token));
}

exchange funding_client::fund(const std::string& project) {
  const ctl::call what{.method = "POST",
                       .path = "/v2/projects/" + project + "/fundings",
                       .body = funding,
                       .idempotency_key = ctl::random_key(),
                       .timeout = call_limit};
  exchange out{.sent = now_seconds()};
  for (;; ++out.sendings) {
    const auto got = nodes_[at_]->send(what);
    out.answered = now_seconds();
    if (got.ok())
      return out;
    if (!worth_a_retry(got) || out.answered - out.sent > give_up_seconds)
      throw std::runtime_error("a funding got " + std::to_string(got.status) + " " + got.fault +
                               got.body + " after " + std::to_string(out.sendings) + " sendings");
    if (!got.fault.empty())
      at_ = (at_ + 1) % nodes_.size();
    std::this_thread::sleep_for(retry_pause);
  }
}

shard_load::shard_load(plan what) : plan_(std::move(what)) {
  for (auto& [shard, project] : plan_.projects)
    threads_.emplace_back([this, client = threads_.size(), shard = shard, project = project] {
      run(client, shard, project);
    });
}

shard_load::~shard_load() {
  over_ = true;
  for (auto& one : threads_)
    if (one.joinable())
      one.join();
}

void shard_load::run(std::size_t client, shard_id shard, const std::string& project) {
  try {
    funding_client mine{plan_.urls, client, plan_.token};
    while (!over_) {
      const auto done = mine.fund(project);
      {
        const std::lock_guard held{mutex_};
        seen_[shard].push_back(done);
      }
      std::this_thread::sleep_for(plan_.pause);
    }
  } catch (const std::exception& e) {
    const std::lock_guard held{mutex_};
    fault_ = "shard " + std::to_string(shard) + ": " + e.what();
  }
}

void shard_load::pass() {
  const auto from = now_seconds();
  for (;;) {
    std::size_t passed = 0;
    {
      const std::lock_guard held{mutex_};
      if (!fault_.empty())
        throw std::runtime_error(fault_);
      for (auto& [shard, all] : seen_)
        passed += all.back().sent >= from ? 1 : 0;
    }
    if (passed == threads_.size())
      return;
    std::this_thread::sleep_for(look_every);
  }
}

std::map<shard_id, std::vector<exchange>> shard_load::stop() {
  over_ = true;
  for (auto& one : threads_)
    if (one.joinable())
      one.join();
  if (!fault_.empty())
    throw std::runtime_error(fault_);
  return std::move(seen_);
}

} // namespace rahat::bench
