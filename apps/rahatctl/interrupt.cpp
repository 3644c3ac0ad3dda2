#include "apps/rahatctl/interrupt.hpp"

namespace rahat::ctl {

namespace {

volatile std::sig_atomic_t caught = 0;

void remember(int) {
  caught = 1;
}

} // namespace

interrupt_guard::interrupt_guard() {
  caught = 0;
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    ::sigaction(signals_[i], nullptr, &former_[i]);
    if (former_[i].sa_handler == SIG_IGN)
      continue;
    struct sigaction now {};
    now.sa_handler = signals_[i] == SIGPIPE ? SIG_IGN : remember; // no SA_RESTART: waits wake up
    ::sigaction(signals_[i], &now, nullptr);
  }
}

interrupt_guard::~interrupt_guard() {
  for (std::size_t i = 0; i < signals_.size(); ++i)
    ::sigaction(signals_[i], &former_[i], nullptr);
}

bool interrupt_guard::seen() {
  return caught != 0;
}

void interrupt_guard::check() {
  if (seen())
    throw interrupted{};
}

} // namespace rahat::ctl
