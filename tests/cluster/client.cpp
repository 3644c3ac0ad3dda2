#include "tests/cluster/client.hpp"

#include "tests/e2e/office.hpp"

#include <poll.h>
#include <algorithm>
#include <stdexcept>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr int look_every_ms = 100;
constexpr int longest_pause_ms = 1'000;
constexpr int usual_pause_ms = 30;
constexpr unsigned hasty_of_100 = 3; // requests that hang up after some milliseconds
constexpr auto nobody = static_cast<std::size_t>(-1);

/// What the answer asks for, at most a second.
int pause_after(const http_reply& reply) {
  const auto asked = reply.header("Retry-After");
  return asked.empty() ? usual_pause_ms : std::min(std::stoi(asked) * 1'000, longest_pause_ms);
}

} // namespace

bool worth_a_retry(const http_reply& reply) {
  return reply.status == 0 || reply.status == 503 || reply.status == 504 ||
         (reply.status == 409 && reply.body.find("idempotency_key_in_flight") != std::string::npos);
}

rotation::rotation(const cluster_process& cluster)
    : cluster_(cluster), ready_(new std::atomic<bool>[cluster.count()]) {
  auto look = [this] {
    for (std::size_t i = 0; i < cluster_.count(); ++i)
      ready_[i] = cluster_.ready(i);
  };
  look();
  looking_ = std::thread{[this, look] {
    while (!ended_) {
      look();
      ::poll(nullptr, 0, look_every_ms);
    }
  }};
}

rotation::~rotation() {
  ended_ = true;
  looking_.join();
}

client::client(const cluster_process& cluster, std::string token, history& book, std::uint64_t seed,
               manners how)
    : cluster_(cluster), token_(std::move(token)), book_(book), dice_(seed), how_(how) {}

/// Another node than the one that has just failed, when there is one.
std::size_t client::pick(std::size_t but) {
  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < cluster_.count(); ++i)
    if (i != but && (how_.through == nullptr || how_.through->has(i)))
      good.push_back(i);
  if (good.empty())
    return dice_() % cluster_.count();
  return good[dice_() % good.size()];
}

http_reply client::send(const request& ask, std::size_t node, std::chrono::milliseconds limit) {
  return http_send(cluster_.port_of(node), "POST", ask.path,
                   {{"Authorization", "Bearer " + ask.token},
                    {"Idempotency-Key", ask.key},
                    {"Content-Type", ask.type}},
                   ask.body, limit);
}

request client::post(const std::string& path, const json::value& body, std::chrono::seconds limit,
                     std::int64_t amount_minor) {
  request ask;
  ask.path = path;
  ask.body = json::serialize(body);
  ask.amount_minor = amount_minor;
  return post(std::move(ask), limit);
}

request client::post(request ask, std::chrono::seconds limit) {
  ask.token = token_;
  ask.key = fresh_key();
  const auto deadline = steady::now() + limit;
  auto node = nobody;
  for (;;) {
    node = pick(node);
    attempt one{node, book_.now_ms(), 0, 0, {}};
    const bool hangs_up = how_.hasty && ask.attempts.empty() && dice_() % 100 < hasty_of_100;
    auto reply =
        send(ask, node, hangs_up ? std::chrono::milliseconds(dice_() % 20 + 1) : how_.answer_limit);
    one.took_ms = book_.now_ms() - one.at_ms;
    one.status = reply.status;
    one.fault = reply.status == 503 || reply.status == 504 ? reply.body : reply.fault;
    ask.attempts.push_back(one);
    if (!worth_a_retry(reply)) {
      ask.status = reply.status;
      ask.answer = reply.body;
      break;
    }
    if (steady::now() >= deadline)
      break;
    ::poll(nullptr, 0, pause_after(reply));
  }
  book_.add(ask);
  return ask;
}

json::value client::must(const std::string& path, const json::value& body) {
  request ask;
  ask.path = path;
  ask.body = json::serialize(body);
  return must(std::move(ask), 120s);
}

json::value client::must(request ask, std::chrono::seconds limit) {
  const auto done = post(std::move(ask), limit);
  if (!done.accepted())
    throw std::runtime_error("POST " + done.path + ": " + std::to_string(done.status) + " " +
                             done.answer + " after " + std::to_string(done.attempts.size()) +
                             " attempts; the last: " + done.attempts.back().fault);
  return json::parse(done.answer);
}

http_reply client::get(const std::string& path, unsigned tries) {
  auto node = nobody;
  for (;;) {
    node = pick(node);
    auto reply = http_send(cluster_.port_of(node), "GET", path,
                           {{"Authorization", "Bearer " + token_}}, {}, how_.answer_limit);
    if (--tries == 0 || !worth_a_retry(reply))
      return reply;
    ::poll(nullptr, 0, pause_after(reply));
  }
}

http_reply client::repeat(const request& ask, std::chrono::seconds limit) {
  const auto deadline = steady::now() + limit;
  http_reply reply;
  do {
    reply = send(ask, pick(nobody), how_.answer_limit);
    if (!worth_a_retry(reply))
      break;
    ::poll(nullptr, 0, usual_pause_ms);
  } while (steady::now() < deadline);
  return reply;
}

} // namespace rahat::test
