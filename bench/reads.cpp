#include "bench/bench_node.hpp"
#include "bench/load.hpp"
#include "bench/process.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

/// Reading one of 1,000 projects, against nginx serving a static file of the same size.
namespace rahat::bench {

namespace {

constexpr std::size_t many = 1'000;
constexpr int nginx_tries = 200;

/// nginx as its manual would set it up for small static files, in a folder of its own.
class nginx {
public:
  explicit nginx(const std::string& body) : folder_(make_folder("nginx")), port_(free_port()) {
    std::ofstream{folder_ + "/body.json"} << body;
    std::ofstream{folder_ + "/nginx.conf"} << settings_text();
    pid_ = start({find_program("nginx", "nginx-light"), "-p", folder_, "-c",
                  folder_ + "/nginx.conf", "-e", folder_ + "/error.log"});
    try {
      wait_until_up();
    } catch (...) {
      end(pid_);
      throw;
    }
  }

  ~nginx() {
    end(pid_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  nginx(const nginx&) = delete;
  nginx& operator=(const nginx&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  pid_t pid() const { return pid_; }

private:
  std::string settings_text() const {
    return "daemon off;\nworker_processes 2;\npid " + folder_ + "/nginx.pid;\nerror_log " +
           folder_ +
           "/error.log;\nevents { worker_connections 1024; }\nhttp {\n  access_log off;\n"
           "  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 2000000000;\n"
           "  default_type application/json;\n  client_body_temp_path " +
           folder_ + "/body;\n  proxy_temp_path " + folder_ + "/proxy;\n  fastcgi_temp_path " +
           folder_ + "/fastcgi;\n  uwsgi_temp_path " + folder_ + "/uwsgi;\n  scgi_temp_path " +
           folder_ + "/scgi;\n  server {\n    listen 127.0.0.1:" + std::to_string(port_) +
           ";\n    root " + folder_ +
           ";\n    location / { rewrite ^ /body.json break; }\n"
           "  }\n}\n";
  }

  void wait_until_up() {
    ctl::client asking{url(), ""};
    for (int i = 0; i < nginx_tries; ++i) {
      if (asking.get("/").ok())
        return;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    std::ifstream log{folder_ + "/error.log"};
    std::string text{std::istreambuf_iterator<char>{log}, {}};
    throw std::runtime_error("nginx does not answer:\n" + text);
  }

  std::string folder_;
  int port_;
  pid_t pid_ = -1;
};

struct side {
  std::vector<double> per_second, cpu_us, p99_ms;
};

template <class Cpu>
void measure(const load& what, const std::string& url, unsigned seconds, Cpu cpu, side& out) {
  auto before = cpu();
  auto got = what.run(url, seconds);
  auto spent = cpu() - before;
  if (got.refused > 0 || got.answered == 0)
    throw std::runtime_error(url + " refused " + std::to_string(got.refused) + " reads");
  out.per_second.push_back(got.per_second);
  out.cpu_us.push_back(spent / got.answered * 1e6);
  out.p99_ms.push_back(got.p99_ms);
}

} // namespace

std::vector<measurement> reads(const settings& how) {
  bench_node node{how};
  std::vector<std::string> paths;
  for (auto& id : node.make_projects(many))
    paths.push_back("/v2/projects/" + id);
  ctl::client one{node.url(), node.token()};
  nginx other{one.get(paths.front()).body};
  auto get_all = load::of_reads(node.folder(), paths, node.token());

  get_all.run(node.url(), 2); // warms up
  get_all.run(other.url(), 2);
  side ours, theirs;
  for (unsigned round = 0; round < how.rounds; ++round) {
    measure(
        get_all, node.url(), how.seconds, [&] { return own_cpu_seconds(node.pid()); }, ours);
    measure(
        get_all, other.url(), how.seconds, [&] { return cpu_seconds(other.pid()); }, theirs);
    say("round " + std::to_string(round + 1) + ": " + std::to_string(ours.per_second.back()) +
        ", nginx " + std::to_string(theirs.per_second.back()) + " reads/s");
  }
  return {{"reads", median(ours.per_second), "reads/s", median(theirs.per_second), at_least(0.7)},
          {"reads_cpu", median(ours.cpu_us), "us/read", median(theirs.cpu_us), at_most(1.5)},
          {"reads_p99", median(ours.p99_ms), "ms", median(theirs.p99_ms), {}}};
}

} // namespace rahat::bench
