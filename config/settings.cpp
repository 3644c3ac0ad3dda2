#include "config/settings.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace rahat::config_detail {

namespace {

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t gib = 1024 * mib;
constexpr std::int64_t hour_ms = 3'600'000;

// Names the field once: as the setting's name and as the way to it.
#define RAHAT_FIELD(path)           \
#path, +[](config & c) -> auto& { \
    return c.path;                  \
  }

std::vector<setting> http_settings() {
  return {
      {RAHAT_FIELD(http.public_host), "", "Address that the API listens on."},
      {RAHAT_FIELD(http.public_port), "port", "Port of the API; 0 takes any free one.", 0, 65'535},
      {RAHAT_FIELD(http.internal_host), "",
       "Address of the internal listener: health, metrics and the operator's calls."},
      {RAHAT_FIELD(http.internal_port), "port",
       "Port of the internal listener; 0 takes any free one.", 0, 65'535},
      {RAHAT_FIELD(http.max_connections), "connections",
       "Open connections on the API; one more is accepted and closed with 503. Each takes a file "
       "descriptor: see LimitNOFILE in the unit.",
       1, 1'000'000},
      {RAHAT_FIELD(http.max_header_bytes), "bytes",
       "Longest request header; a longer one is refused with 431.", kib, mib},
      {RAHAT_FIELD(http.max_body_bytes), "bytes",
       "Longest request body, uploads excepted; a longer one is refused with 413.", kib, 64 * mib},
      {RAHAT_FIELD(http.header_timeout_ms), "ms", "Time for a request's header to arrive.", 100,
       hour_ms},
      {RAHAT_FIELD(http.body_timeout_ms), "ms",
       "Time for a request's body to arrive; for an upload, between two pieces of it.", 100,
       hour_ms},
      {RAHAT_FIELD(http.reply_timeout_ms), "ms",
       "Time to decide, commit and send a reply; later the client gets 504 and may retry.", 100,
       hour_ms},
      {RAHAT_FIELD(http.idle_timeout_ms), "ms",
       "A connection without requests is closed after this.", 100, hour_ms},
      {RAHAT_FIELD(http.drain_timeout_ms), "ms",
       "Time that running requests get when the node is told to stop.", 0, hour_ms},
      {RAHAT_FIELD(http.io_threads), "threads", "Threads that serve the API's connections.", 1, 64},
  };
}

std::vector<setting> runtime_settings() {
  return {
      {RAHAT_FIELD(upload.max_bytes), "bytes", "Largest upload; more is refused with 413.", kib,
       64 * gib},
      {RAHAT_FIELD(upload.max_rows), "rows", "Most rows that one upload may have.", 1,
       config::most_upload_rows},
      {RAHAT_FIELD(runtime.workers), "threads",
       "Actor threads; 0 = one fewer than cores, at least one.", 0, 256},
      {RAHAT_FIELD(runtime.max_resident_entities), "entities",
       "Entities kept in memory. Near it, idle ones leave, those left alone longest first; while "
       "none "
       "can, requests for others are refused with 503.",
       1'000, 100'000'000},
      {RAHAT_FIELD(runtime.passivate_after_s), "s",
       "An entity that nobody has asked anything for this long leaves memory.", 1, 86'400},
      {RAHAT_FIELD(runtime.wake_per_second), "entities/s",
       "How fast entities with work left are woken after a start.", 1, 1'000'000},
      {RAHAT_FIELD(persistence.writers), "threads",
       "Writer threads, each with a connection; a shard always uses the same one.", 1, 64},
      {RAHAT_FIELD(persistence.readers), "threads", "Threads that recover entities and read lists.",
       1, 64},
      {RAHAT_FIELD(persistence.batch_rows), "rows", "Most rows that one statement commits.", 1,
       100'000},
      {RAHAT_FIELD(persistence.batch_bytes), "bytes", "Most bytes that one statement commits.",
       64 * kib, 64 * mib},
      {RAHAT_FIELD(persistence.queue_bytes), "bytes",
       "What may wait for one writer; beyond it new commands are refused with 503.", 64 * kib, gib},
  };
}

std::vector<setting> database_settings() {
  return {
      {RAHAT_FIELD(database.url),
       "",
       "The Postgres server to use (15 or later), as postgresql://user@host/name. With a password "
       "in "
       "it: by reference.",
       0,
       0,
       {},
       "a private server in node.data_dir"},
      {RAHAT_FIELD(database.admin_url),
       "",
       "The same server as the role that owns the tables, for migrations.",
       0,
       0,
       {},
       "database.url"},
      {RAHAT_FIELD(database.fsync_check), "",
       "Refuse to start on, and to serve from, a server that runs with fsync or full_page_writes "
       "off. One whose synchronous_commit is off is refused always."},
      {RAHAT_FIELD(database.spare_log_mb), "MiB",
       "Write-ahead log that the embedded server of a new node makes ahead in its first seconds, "
       "so "
       "that no commit waits for it; it uses that much of the disk. 0: none.",
       0, 1'024},
      {RAHAT_FIELD(lease.ttl_ms), "ms",
       "How long the node owns its shards after a renewal; a dead node's work waits this long.",
       500, 60'000},
      {RAHAT_FIELD(lease.renew_ms), "ms", "How often the lease is renewed.", 50, 20'000},
      {RAHAT_FIELD(lease.margin_ms), "ms",
       "How long before its lease ends the node stops to serve by itself.", 50, 20'000},
  };
}

std::vector<setting> cluster_settings() {
  return {
      {RAHAT_FIELD(cluster.host),
       "",
       "Address that this node listens on for its peers. Needs database.url, and trust.master_key "
       "(or the same master.key on every node).",
       0,
       0,
       {},
       "the node is alone"},
      {RAHAT_FIELD(cluster.port), "port", "Port for its peers; 0 takes any free one.", 0, 65'535},
      {RAHAT_FIELD(cluster.advertise),
       "",
       "Where its peers reach this node, as host:port; an address spares them DNS.",
       0,
       0,
       {},
       "cluster.host:cluster.port"},
      {RAHAT_FIELD(cluster.certificate),
       "",
       "File with this node's certificate (PEM); rahatctl certs makes one.",
       0,
       0,
       {},
       "none"},
      {RAHAT_FIELD(cluster.key),
       "",
       "File with the certificate's private key (PEM).",
       0,
       0,
       {},
       "none"},
      {RAHAT_FIELD(cluster.ca),
       "",
       "File with the certificate of the cluster's authority, which signs nodes only (PEM).",
       0,
       0,
       {},
       "none"},
      {RAHAT_FIELD(cluster.insecure), "",
       "Speak to peers without TLS and without proofs: for trials on one machine."},
      {RAHAT_FIELD(cluster.shutdown_s), "s",
       "How long a node that is told to stop tries to give its shards away.", 0, 3'600},
  };
}

std::vector<setting> other_settings() {
  return {
      {RAHAT_FIELD(audit.sign_interval_s), "s",
       "How often the heads of the audit chain are signed into a file outside the database.", 1,
       86'400},
      {RAHAT_FIELD(audit.recount_hour), "hour",
       "Hour of the day (UTC) at which all books are counted anew.", 0, 23},
      {RAHAT_FIELD(live.max_connections), "connections",
       "Open WebSocket connections; one more is refused with 503. Each takes a file descriptor.", 1,
       1'000'000},
      {RAHAT_FIELD(live.queue_messages), "messages",
       "Messages that may wait for one slow client; beyond it the connection is closed and the "
       "client "
       "resumes.",
       1, 1'000'000},
      {RAHAT_FIELD(live.progress_per_second), "messages/s",
       "Progress messages per topic; those between are left out.", 1, 1'000},
      {RAHAT_FIELD(trust.master_key),
       "",
       "The key that wraps every person's key: 64 hex digits (openssl rand -hex 32), by reference. "
       "Whoever loses it loses all personal fields: keep a copy.",
       0,
       0,
       {},
       "the file master.key in node.data_dir, made at the first start"},
      {RAHAT_FIELD(log.level),
       "",
       "The least severe lines that are written.",
       0,
       0,
       {"debug", "info", "warning", "error"}},
      {RAHAT_FIELD(log.file),
       "",
       "File that log lines are appended to.",
       0,
       0,
       {},
       "standard error"},
  };
}

std::vector<setting> node_settings() {
  return {
      {RAHAT_FIELD(node.data_dir),
       "",
       "Folder of everything that the node keeps on disk; only its owner can list it.",
       0,
       0,
       {},
       "/var/lib/rahat as root, else $XDG_STATE_HOME/rahat or ~/.local/state/rahat"},
      {RAHAT_FIELD(node.name),
       "",
       "What the node calls itself in logs and in the database: letters, digits, '-', '.', '_'.",
       0,
       0,
       {},
       "the host's name"},
  };
}

#undef RAHAT_FIELD

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, change});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + '"';
}

} // namespace

const std::vector<setting>& settings() {
  static const std::vector<setting> all = [] {
    std::vector<setting> rows;
    for (auto part : {node_settings(), http_settings(), runtime_settings(), database_settings(),
                      cluster_settings(), other_settings()})
      rows.insert(rows.end(), part.begin(), part.end());
    return rows;
  }();
  return all;
}

const std::vector<section>& sections() {
  static const std::vector<section> all = {
      {"node", "The node itself."},
      {"http",
       "The two HTTP listeners. They speak plain HTTP: beyond this host, put TLS before them."},
      {"upload", "Files of beneficiaries."},
      {"runtime", "How entities run."},
      {"persistence", "The way to the journal."},
      {"database", "Where the journal lies."},
      {"lease", "How long a node that has gone silent keeps its shards."},
      {"cluster", "Other nodes over the same database."},
      {"audit", "Proof that nobody has changed the past."},
      {"live", "WebSocket clients."},
      {"trust", "Keys."},
      {"log", "Log lines: one JSON object each."},
  };
  return all;
}

std::string setting::environment_name() const {
  std::string out = "RAHAT_";
  for (char c : name)
    out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

const setting* find_setting(std::string_view name) {
  for (const auto& row : settings())
    if (row.name == name)
      return &row;
  return nullptr;
}

std::string nearest_name(std::string_view unknown) {
  const setting* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, unknown.size() / 4) + 1;
  auto dot = unknown.find('.');
  auto key = dot == std::string_view::npos ? unknown : unknown.substr(dot + 1);
  for (const auto& row : settings()) {
    // A right key in a wrong section is one mistake, however long the section's name.
    auto distance = row.key() == key ? 1 : edit_distance(unknown, row.name);
    if (distance < best_distance) {
      best = &row;
      best_distance = distance;
    }
  }
  return best ? std::string(best->name) : "";
}

std::string value_text(const setting& row, const config& from) {
  auto& c = const_cast<config&>(from); // slots give references; none is written through here
  if (auto at = std::get_if<text_slot>(&row.at))
    return in_quotes((*at)(c));
  if (auto at = std::get_if<integer_slot>(&row.at))
    return std::to_string((*at)(c));
  if (auto at = std::get_if<flag_slot>(&row.at))
    return (*at)(c) ? "true" : "false";
  return std::get<secret_slot>(row.at)(c).empty() ? "\"\"" : "\"(set)\"";
}

std::string default_text(const setting& row) {
  if (!row.when_empty.empty())
    return std::string(row.when_empty);
  auto text = value_text(row, config{});
  return row.unit.empty() || row.unit == "port" ? text : text + " " + std::string(row.unit);
}

} // namespace rahat::config_detail
