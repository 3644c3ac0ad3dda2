#pragma once

#include <boost/json.hpp>

#include <iosfwd>
#include <string>
#include <vector>

/// The document of GET /internal/v1/cluster, for people.
namespace rahat::ctl {

/// Its members; nullptr if it holds none.
const boost::json::array* cluster_members(const boost::json::value& cluster);

struct found_member {
  const boost::json::value* it = nullptr; // in the document
  std::string why;                        // there is none: a sentence
};

/// The running member of that name or uuid, or else the only one whose name or uuid begins so.
found_member find_member(const boost::json::value& cluster, const std::string& wanted);

/// Table and summary. `all`: with those that have left or died.
void print_cluster(std::ostream& out, const boost::json::value& cluster, bool all);

/// What somebody should look at, a sentence each.
std::vector<std::string> cluster_troubles(const boost::json::value& cluster);

/// "1.2 ms", "250 us", "3.4 s", "2 min": two digits that matter, no more.
std::string short_time(std::int64_t us);

} // namespace rahat::ctl
