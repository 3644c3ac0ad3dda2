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
    const auto trouble = now == server_state::waiting ? server_->last_error() : std::string{};
    lock.lock();
    server_restarts_ += now == server_state::restarted ? 1 : 0;
    server_trouble_ = now == server_state::waiting && trouble.empty() ? "it has ended" : trouble;
    changed_.wait_for(lock, watch_every, [this] { return stopping_; });
  }
}

} // namespace rahat
