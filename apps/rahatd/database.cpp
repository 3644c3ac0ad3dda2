#include "apps/rahatd/database.hpp"

#include "persistence/lease/doctor.hpp"
#include "persistence/migrate/migrate.hpp"
#include "persistence/migrate/roles.hpp"
#include "runtime/telemetry/log.hpp"

#include <stdexcept>

namespace rahat {

namespace {

constexpr std::chrono::milliseconds watch_every{200};
constexpr std::chrono::milliseconds spare_every{
    100}; // 16 MB each: done in 4 s, and in the way of nobody

void log_step(std::string_view event, const std::string& detail) {
  log::info(event, {{"detail", detail}});
}

/// Before anything is written there (R8).
void refuse_unsafe_server(const std::string& service_conninfo) {
  if (const auto why = why_not_durable(service_conninfo); !why.empty())
    throw std::runtime_error("the database server may lose what it has acknowledged. " + why +
                             " For trials whose data may be lost: database.fsync_check = false");
}

} // namespace

node_database::node_database(const config& settings, data_folder& folder) {
  std::string owner;
  if (settings.database.url.empty()) {
    server_ = std::make_unique<embedded_postgres>(folder, embedded_options{}, log_step);
    server_->start();
    spare_.emplace(server_->admin_conninfo(), static_cast<int>(settings.database.spare_log_mb));
    owner = server_->owner_conninfo();
    service_ = server_->service_conninfo();
  } else {
    service_ = settings.database.url.reveal();
    owner = settings.database.admin_url.empty() ? service_ : settings.database.admin_url.reveal();
    prepare_server(owner, service_);
  }
  if (settings.database.fsync_check)
    refuse_unsafe_server(service_);
  migrate(owner, built_in_migrations(), log_step);
  if (server_)
    watcher_.start([this] { watch(); });
}

node_database::~node_database() {
  end_watch(); // without stop(), as after an exception, the server stays up and is adopted
}

void node_database::stop() {
  end_watch();
  if (server_)
    server_->stop();
}

void node_database::end_watch() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

std::vector<part> node_database::parts() {
  if (!server_)
    return {};
  const auto start = [this](death_notice died) {
    if (!watcher_.running()) {
      {
        std::lock_guard lock{mutex_};
        stopping_ = false;
      }
      watcher_.start([this] { watch(); });
    }
    watcher_.watch(std::move(died));
  };
  const auto health = [this] {
    std::lock_guard lock{mutex_};
    return (server_trouble_.empty() ? "the server runs"
                                    : "the server is down: " + server_trouble_) +
           ", restarted " + std::to_string(server_restarts_) + " times";
  };
  return {{"postgres", "watcher", start, [this] { end_watch(); }, health}};
}

void node_database::watch() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    const auto now = server_->ensure_running();
    if (spare_ && now == server_state::running && spare_->step())
      spare_.reset();
    const auto trouble = now == server_state::waiting ? server_->last_error() : std::string{};
    lock.lock();
    server_restarts_ += now == server_state::restarted ? 1 : 0;
    server_trouble_ = now == server_state::waiting && trouble.empty() ? "it has ended" : trouble;
    changed_.wait_for(lock, spare_ ? spare_every : watch_every, [this] { return stopping_; });
  }
}

} // namespace rahat
