#pragma once

#include "apps/rahatctl/client.hpp"

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::bench {

/// What a benchmark asks of a node as two persons, and of its database. Not thread-safe.
class api {
public:
  virtual ~api() = default;

  /// Throws std::runtime_error for anything but a 2xx; what is refused as retryable is sent again
  /// with the same key as long as the patience lasts.
  boost::json::value get(const std::string& path);
  boost::json::value post(const std::string& path, const std::string& json = "");
  boost::json::value post_as_checker(const std::string& path, const std::string& json);
  /// Sent once only.
  boost::json::value upload(const std::string& path, const std::string& csv);

  const std::string& url() const { return maker_->base_url(); }
  const std::string& token() const { return maker_token_; }

  /// The server, as its superuser.
  virtual std::string conninfo() const = 0;
  /// Runs a statement on it.
  void sql(const std::string& statement) const;
  /// The first column of every row.
  std::vector<std::string> column(const std::string& query) const;

  /// Active projects, made one after the other; gives their ids.
  std::vector<std::string> make_projects(std::size_t count);

protected:
  /// Makes the two persons' tokens.
  void introduce(const std::string& internal_url, const std::string& admin_token);
  /// From now on this node is asked.
  void connect(const std::string& url, std::chrono::seconds patience = {});

private:
  boost::json::value ask(ctl::client& who, ctl::call what) const;

  std::unique_ptr<ctl::client> maker_;
  std::unique_ptr<ctl::client> checker_;
  std::string maker_token_;
  std::string checker_token_;
  std::chrono::seconds patience_{};
};

/// A member that must be there: text, or a whole number.
std::string text_of(const boost::json::value& view, std::string_view name);
std::int64_t count_of(const boost::json::value& view, std::string_view name);

/// No answer at all, or one that asks to send the same again with the same key.
bool worth_a_retry(const ctl::answer& got);

/// The first line of a file that must be there.
std::string first_line(const std::string& file);

/// Seconds on the steady clock since some moment.
double now_seconds();

/// What goes on, for whoever watches; to standard error.
void say(const std::string& line);

} // namespace rahat::bench
