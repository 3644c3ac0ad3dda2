#include "runtime/telemetry/log.hpp"

#include "runtime/telemetry/log_line.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace rahat::log {

namespace {

std::atomic<std::uint64_t> lost{0};

// How lines are written: replaced whole by `start`, so that writers never see half of it.
struct writer {
  std::shared_ptr<spdlog::logger> out;
  level least = level::info;
  std::string node;
  std::string hash_key;
  std::function<std::int64_t()> clock_ns;
};

std::string random_key() {
  std::array<unsigned char, 32> bytes{};
  // Without randomness the ids of persons could be found by trying: then they all look alike.
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return "";
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t system_clock_ns() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

// A logger of our own beside spdlog's registry: the registry's start and end are not ours.
std::shared_ptr<spdlog::logger> logger_to(spdlog::sink_ptr sink) {
  auto out = std::make_shared<spdlog::logger>("rahat", std::move(sink));
  out->set_pattern("%v");
  out->set_level(spdlog::level::trace);
  out->flush_on(spdlog::level::trace);
  out->set_error_handler([](const std::string&) { ++lost; });
  return out;
}

std::shared_ptr<const writer> initial_writer() {
  auto w = std::make_shared<writer>();
  w->out = logger_to(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  w->hash_key = random_key();
  w->clock_ns = system_clock_ns;
  return w;
}

// Lives for ever: threads may log while statics are destroyed.
struct state {
  std::mutex replace;
  std::atomic<std::shared_ptr<const writer>> current = initial_writer();
  std::atomic<level> least{level::info};
};

state& the_state() {
  static auto* only = new state;
  return *only;
}

std::shared_ptr<const writer> current_writer() {
  return the_state().current.load();
}

void install(std::shared_ptr<const writer> next) {
  auto& s = the_state();
  std::lock_guard lock(s.replace);
  s.least = next->least;
  s.current.store(std::move(next));
}

void write(level at, std::string_view event, fields about) noexcept {
  if (!enabled(at))
    return;
  try {
    auto w = current_writer();
    auto line = render(at, event, about, w->node, w->clock_ns());
    w->out->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {
    ++lost; // out of memory, most likely: the caller has worse to do than to log
  }
}

} // namespace

level level_from(std::string_view name) {
  for (auto [known, at] : {std::pair{"debug", level::debug}, std::pair{"warning", level::warning},
                           std::pair{"error", level::error}})
    if (name == known)
      return at;
  return level::info;
}

std::string start(const options& how) {
  auto next = std::make_shared<writer>();
  try {
    if (how.file.empty())
      next->out = logger_to(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    else
      next->out = logger_to(std::make_shared<spdlog::sinks::basic_file_sink_mt>(how.file));
  } catch (const spdlog::spdlog_ex& e) {
    return "cannot log to " + how.file + ": " + e.what();
  }
  next->least = how.least;
  next->node = how.node;
  next->hash_key = how.hash_key.empty() ? current_writer()->hash_key : how.hash_key;
  next->clock_ns = how.clock_ns ? how.clock_ns : system_clock_ns;
  install(std::move(next));
  return "";
}

void stop() {
  current_writer()->out->flush();
  install(initial_writer());
}

bool enabled(level at) {
  return at >= the_state().least.load(std::memory_order_relaxed);
}

void debug(std::string_view event, fields about) {
  write(level::debug, event, about);
}
void info(std::string_view event, fields about) {
  write(level::info, event, about);
}
void warning(std::string_view event, fields about) {
  write(level::warning, event, about);
}
void error(std::string_view event, fields about) {
  write(level::error, event, about);
}

std::string hashed(std::string_view id) {
  auto w = current_writer();
  if (w->hash_key.empty())
    return "0000000000000000";
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned length = 0;
  HMAC(EVP_sha256(), w->hash_key.data(), static_cast<int>(w->hash_key.size()),
       reinterpret_cast<const unsigned char*>(id.data()), id.size(), mac.data(), &length);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    out += digits[mac[i] >> 4U];
    out += digits[mac[i] & 0xFU];
  }
  return out;
}

std::uint64_t lines_lost() {
  return lost.load();
}

} // namespace rahat::log
