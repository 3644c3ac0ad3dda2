#include "tests/support/scratch_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace rahat::test {

namespace {

/// Ends when its standard input does. Immediate shutdown: nothing in here is worth a checkpoint.
/// A zombie (a server whose parent is the test) has no working folder any more.
constexpr const char* clean_up = R"(
read -r _
for file in "$1"/postgres/postmaster.pid "$1"/*/postgres/postmaster.pid; do
  [ -f "$file" ] || continue
  pid=$(head -n 1 "$file")
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while readlink "/proc/$pid/cwd" >/dev/null && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
done
rm -rf "$1"
)";

} // namespace

scratch_folder::scratch_folder() {
  std::string name = "/tmp/rahat-test-XXXXXX";
  int line[2];
  if (mkdtemp(name.data()) == nullptr || chmod(name.c_str(), 0711) != 0 ||
      pipe2(line, O_CLOEXEC) != 0)
    throw std::runtime_error{"cannot make a scratch folder in /tmp"};
  path_ = name;
  life_line_ = line[1];
  helper_ = fork();
  if (helper_ == 0) {
    setsid(); // a Ctrl-C ends the test, and only that
    dup2(line[0], 0);
    close_range(3, ~0U, 0);
    execl("/bin/sh", "sh", "-c", clean_up, "sh", name.c_str(), nullptr);
    _exit(127);
  }
  close(line[0]);
}

scratch_folder::~scratch_folder() {
  close(life_line_);
  waitpid(helper_, nullptr, 0);
}

} // namespace rahat::test
