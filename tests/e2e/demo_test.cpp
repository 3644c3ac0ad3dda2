// `rahatctl demo` as people run it: a small register, a summary for programs, a Ctrl-C.
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <csignal>
#include <fstream>
#include <iterator>

namespace rahat::test {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr auto demo_limit = 120s;

/// One run of the program, its data below a folder of the test's.
class demo_run {
public:
  explicit demo_run(std::vector<std::string> flags) {
    std::vector<std::string> words{RAHATCTL_PROGRAM, "demo",       "--rahatd",
                                   RAHATD_PROGRAM,   "--examples", EXAMPLES_DIR};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> argv;
    for (auto& word : words)
      argv.push_back(word.data());
    argv.push_back(nullptr);
    auto out = open_file(output_), err = open_file(errors_);
    const auto parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM); // it stops its node
      if (getppid() != parent)
        _exit(127);
      for (int number : {SIGINT, SIGTERM, SIGHUP})
        std::signal(number, SIG_DFL); // whatever runs the tests ignores
      setenv("TMPDIR", folder_.path().c_str(), 1);
      dup2(out, STDOUT_FILENO);
      dup2(err, STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(out);
    close(err);
  }

  ~demo_run() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      end();
    }
    for (auto& left : processes()) // of a test that has failed; each line begins with its id
      ::kill(static_cast<pid_t>(std::stol(left)), SIGKILL);
  }

  void signal(int number) { ::kill(pid_, number); }

  /// Its exit code, 128 + n if a signal ended it, -1 if it does not end.
  int end() {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, demo_limit))
      return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  bool says(const std::string& text) {
    return eventually([&] { return output().find(text) != std::string::npos; }, demo_limit);
  }

  std::string output() const { return text_of(output_); }
  std::string errors() const { return text_of(errors_); }

  /// Its node's data folder, empty before it has made one and when it is gone.
  fs::path data() const {
    for (auto& entry : fs::directory_iterator(folder_.path()))
      if (entry.path().filename().string().starts_with("rahat-demo-"))
        return entry.path();
    return {};
  }

  /// Processes of its node and of that node's Postgres.
  std::vector<std::string> processes() const {
    std::vector<std::string> out;
    for (auto& entry : fs::directory_iterator("/proc")) {
      auto line = text_of(entry.path() / "cmdline");
      if (line.find(folder_.path().string() + "/rahat-demo-") != std::string::npos)
        out.push_back(entry.path().filename().string() + " " + line);
    }
    return out;
  }

private:
  static int open_file(const fs::path& file) {
    return ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  static std::string text_of(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>(in), {}};
  }

  scratch_folder folder_;
  fs::path output_ = folder_.path() / "output";
  fs::path errors_ = folder_.path() / "errors";
  pid_t pid_ = -1;
};

} // namespace

/// Fewer households than the shops could serve: the last shop has one customer, or none.
TEST(demo, tells_its_story_with_any_number_of_households) {
  struct row {
    int lines;
    int shops;
  };
  for (auto [lines, shops] : std::vector<row>{{1, 1}, {5, 3}}) {
    demo_run demo{{"--json", "--lines", std::to_string(lines)}};
    ASSERT_EQ(demo.end(), 0) << demo.errors();
    const auto told = json::parse(demo.output()); // nothing but the summary
    EXPECT_EQ(told.at("ok"), json::value(true));
    EXPECT_EQ(told.at("households"), lines);
    EXPECT_EQ(told.at("lines_paid"), lines);
    EXPECT_EQ(told.at("shops"), shops);
    EXPECT_EQ(told.at("redemptions"), lines);
    EXPECT_EQ(told.at("settled_minor"), lines * 4'200);
    EXPECT_EQ(told.at("books_complete"), json::value(true));
    EXPECT_EQ(told.at("imbalance_minor"), 0);
    EXPECT_EQ(told.at("chain_valid"), json::value(true));
    EXPECT_EQ(told.at("node"), json::value(nullptr));
    EXPECT_THAT(demo.errors(), HasSubstr("./dev demo --keep"));
    EXPECT_THAT(demo.processes(), IsEmpty());
    EXPECT_EQ(demo.data(), "");
  }
}

TEST(demo, keeps_its_node_when_told_so_and_says_where_it_is) {
  demo_run demo{{"--json", "--keep", "--lines", "2"}};
  ASSERT_EQ(demo.end(), 0) << demo.errors();
  const auto told = json::parse(demo.output()).at("node");
  const auto node = static_cast<pid_t>(told.at("pid").as_int64());
  EXPECT_EQ(::kill(node, 0), 0) << "it is up";
  EXPECT_TRUE(fs::exists(std::string{told.at("token_file").as_string()}));
  for (auto* name : {"url", "internal_url", "data", "token_file"})
    EXPECT_THAT(demo.errors(), HasSubstr(std::string{told.at(name).as_string()})) << name;
  ::kill(node, SIGTERM);
  EXPECT_TRUE(eventually([&] { return demo.processes().empty(); }, demo_limit));
}

TEST(demo, stops_its_node_when_it_is_interrupted) {
  for (int number : {SIGINT, SIGTERM}) {
    demo_run demo{{}};
    ASSERT_TRUE(demo.says("Import of")) << demo.output() << demo.errors();
    ASSERT_THAT(demo.processes(), testing::SizeIs(testing::Ge(2u))) << "a node and its Postgres";
    demo.signal(number);
    EXPECT_EQ(demo.end(), 130) << demo.output();
    EXPECT_THAT(demo.errors(), HasSubstr("nterrupted"));
    EXPECT_THAT(demo.processes(), IsEmpty());
    EXPECT_EQ(demo.data(), "") << "nobody wants its data";
  }
}

/// While the node starts there is nothing to ask yet, but already something to stop.
TEST(demo, stops_its_node_when_it_is_interrupted_while_that_starts) {
  demo_run demo{{"--lines", "1"}};
  ASSERT_TRUE(eventually([&] { return !demo.processes().empty(); }, demo_limit));
  demo.signal(SIGINT);
  EXPECT_EQ(demo.end(), 130) << demo.output();
  EXPECT_TRUE(eventually([&] { return demo.processes().empty(); })) << "Postgres as well";
}

} // namespace rahat::test
