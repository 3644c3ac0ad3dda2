#include "apps/rahatd/database.hpp"

#include "persistence/migrate/migrate.hpp"
#include "persistence/migrate/roles.hpp"
#include "runtime/telemetry/log.hpp"

namespace rahat {

namespace {

constexpr std::chrono::milliseconds watch_every{200};

void log_step(std::string_view event, const std::string& detail) {
  log::info(event, {{"detail", detail}});
}

} // namespace

node_database::node_database(const config& settings, data_folder& folder) {
  std::string owner;
  if (settings.database.url.empty()) {
    server_ = std::make_unique<embedded_postgres>(folder, embedded_options{}, log_step);
    server_->start();
    owner = server_->owner_conninfo();
    service_ = server_->service_conninfo();
  } else {
    service_ = settings.database.url.reveal();
    owner = settings.database.admin_url.empty() ? service_ : settings.database.admin_url.reveal();
    prepare_server(owner, service_);
  }
  migrate(owner, built_in_migrations(), log_step);
  if (server_)
    watcher_ = std::thread{[this] { watch(); }};
}

node_database::~node_database() {
  // Without stop(), as after an exception, the server stays up and is adopted by the next start.
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable())
    watcher_.join();
}

void node_database::stop() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable())
    watcher_.join();
  if (server_)
    server_->stop();
}

void node_database::watch() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    server_->ensure_running();
    lock.lock();
    changed_.wait_for(lock, watch_every, [this] { return stopping_; });
  }
}

} // namespace rahat
