#include "bench/load.hpp"

#include "apps/rahatctl/client.hpp"
#include "bench/process.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rahat::bench {

namespace {

/// Requests are put together beforehand, so that the client costs as little as it can.
constexpr const char* reads_script = R"lua(
local requests, n = {}, 0
init = function(args)
  for path in io.lines("@paths@") do
    requests[#requests + 1] = wrk.format("GET", path, {["Authorization"] = "Bearer @token@"})
  end
end
request = function()
  n = n + 1
  return requests[n % #requests + 1]
end
)lua";

/// The run's random part of the key comes as an argument: seeds of Lua repeat.
constexpr const char* posts_script = R"lua(
local heads, tails, n, run = {}, {}, 0, ""
init = function(args)
  run = args[1]
  local body = '@body@'
  for path in io.lines("@paths@") do
    local text = wrk.format("POST", path, {["Authorization"] = "Bearer @token@",
      ["Content-Type"] = "application/json", ["Idempotency-Key"] = "@key@"}, body)
    local from, to = text:find("@key@", 1, true)
    heads[#heads + 1] = text:sub(1, from - 1) .. run .. "-"
    tails[#tails + 1] = text:sub(to + 1)
  end
end
request = function()
  n = n + 1
  local i = n % #heads + 1
  return heads[i] .. n .. tails[i]
end
)lua";

std::string with(std::string text, const std::string& name, const std::string& value) {
  auto at = text.find(name);
  return at == std::string::npos ? text : text.replace(at, name.size(), value);
}

/// Writes the script and its list of paths; gives the script's file.
std::string write_script(const std::string& folder, const std::string& text,
                         const std::vector<std::string>& paths, const std::string& token) {
  auto stem = folder + "/load-" + ctl::random_key().substr(0, 8);
  std::ofstream list{stem + ".paths"};
  for (auto& path : paths)
    list << path << "\n";
  std::ofstream script{stem + ".lua"};
  script << with(with(text, "@paths@", stem + ".paths"), "@token@", token);
  list.close();
  script.close();
  if (!list || !script)
    throw std::runtime_error("cannot write " + stem + ".lua");
  return stem + ".lua";
}

/// The number behind a label of wrk's report; 0 if it is not there.
double number_after(const std::string& text, const std::string& label) {
  auto at = text.find(label);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + label.size()));
}

/// The duration behind a label; wrk writes its unit: 950.00us, 4.51ms, 1.02s.
double milliseconds(const std::string& text, const std::string& label) {
  auto at = text.find(label);
  if (at == std::string::npos)
    return 0;
  std::istringstream in{text.substr(at + label.size())};
  double value = 0;
  std::string unit;
  in >> value >> unit;
  return unit == "us" ? value / 1'000 : unit == "s" ? value * 1'000 : value;
}

} // namespace

load load::of_reads(const std::string& folder, const std::vector<std::string>& paths,
                    const std::string& token) {
  return load{write_script(folder, reads_script, paths, token)};
}

load load::of_posts(const std::string& folder, const std::vector<std::string>& paths,
                    const std::string& token, const std::string& json) {
  return load{write_script(folder, with(posts_script, "@body@", json), paths, token)};
}

load_result load::run(const std::string& url, unsigned seconds, unsigned connections) const {
  auto text = output_of({find_program("wrk", "wrk"), "-t1", "-c", std::to_string(connections), "-d",
                         std::to_string(seconds) + "s", "--latency", "-s", script_, url, "--",
                         ctl::random_key()});
  if (text.find("Socket errors") != std::string::npos)
    throw std::runtime_error("connections failed under load:\n" + text);
  load_result out;
  auto at = text.find(" requests in ");
  auto line = text.rfind('\n', at);
  if (at == std::string::npos)
    throw std::runtime_error("wrk's report is not understood:\n" + text);
  auto all = std::stod(text.substr(line + 1));
  out.refused = number_after(text, "Non-2xx or 3xx responses: ");
  out.answered = all - out.refused;
  out.per_second = number_after(text, "Requests/sec:") * (all > 0 ? out.answered / all : 0);
  out.p99_ms = milliseconds(text, " 99%");
  return out;
}

} // namespace rahat::bench
