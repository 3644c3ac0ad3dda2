#pragma once

#include "config/secret.hpp"

#include <cstdint>
#include <string>

namespace rahat {

/// Everything about a node that an operator can set, with its defaults; `config{}` is a valid
/// configuration for tests. Made once at start (config/load.hpp), then only read, from any thread.
///
/// To add a setting: a field here and its row in config/settings.cpp. The file, the environment,
/// the flags, `--help`, the checks and config/rahatd.toml follow from the row.
struct config {
  /// What the upload kind can decide about.
  static constexpr std::int64_t most_upload_rows = 1'000'000;

  struct node_section {
    std::string data_dir; // set by load(): an absolute path
    std::string name;     // set by load(): the host's name unless configured
  } node;

  struct http_section {
    std::string public_host = "127.0.0.1";
    std::int64_t public_port = 8080; // 0 = any free port, here and below
    std::string internal_host = "127.0.0.1";
    std::int64_t internal_port = 9090;
    std::int64_t max_connections = 10'000;
    std::int64_t max_header_bytes = 16 * 1024;
    std::int64_t max_body_bytes = 1024 * 1024;
    std::int64_t header_timeout_ms = 10'000;
    std::int64_t body_timeout_ms = 30'000;
    std::int64_t reply_timeout_ms = 30'000;
    std::int64_t idle_timeout_ms = 75'000;
    std::int64_t drain_timeout_ms = 10'000;
    std::int64_t io_threads = 1;
  } http;

  struct upload_section {
    std::int64_t max_bytes = 1024LL * 1024 * 1024;
    std::int64_t max_rows = most_upload_rows;
  } upload;

  struct runtime_section {
    std::int64_t workers = 0; // 0 = one fewer than cores, at least one
    std::int64_t max_resident_entities = 200'000;
    std::int64_t passivate_after_s = 120;
    std::int64_t wake_per_second = 5'000;
  } runtime;

  struct persistence_section {
    std::int64_t writers = 1;
    std::int64_t readers = 2;
    std::int64_t batch_rows = 2'000;
    std::int64_t batch_bytes = 1024 * 1024;
    std::int64_t queue_bytes = 8 * 1024 * 1024;
  } persistence;

  struct database_section {
    secret url;       // empty = the embedded Postgres in node.data_dir
    secret admin_url; // empty = url
    bool fsync_check = true;
    std::int64_t spare_log_mb = 512;
  } database;

  struct lease_section {
    std::int64_t ttl_ms = 3'000;
    std::int64_t renew_ms = 1'000;
    std::int64_t margin_ms = 500;
  } lease;

  struct cluster_section {
    std::string host; // empty = the node is alone
    std::int64_t port = 7400;
    std::string advertise;   // host:port; empty = host and port
    std::string certificate; // PEM files
    std::string key;
    std::string ca;
    bool insecure = false;
    std::int64_t shutdown_s = 30;
  } cluster;

  struct audit_section {
    std::int64_t sign_interval_s = 60;
    std::int64_t recount_hour = 2; // UTC
  } audit;

  struct live_section {
    std::int64_t max_connections = 5'000;
    std::int64_t queue_messages = 1'000;
    std::int64_t progress_per_second = 10;
  } live;

  struct trust_section {
    secret master_key; // 64 hex digits; empty = the file <node.data_dir>/master.key
  } trust;

  struct log_section {
    std::string level = "info"; // debug | info | warning | error
    std::string file;           // empty = standard error
  } log;
};

} // namespace rahat
