#pragma once

#include "config/load.hpp"

#include <iosfwd>

namespace rahat::ctl {

/// Runs one command line and returns what the shell is told: 0 ok, 1 a problem was found or the
/// command failed, 2 usage, 130 interrupted.
int run(int argc, const char* const* argv, const environment& env, std::ostream& out,
        std::ostream& err);

} // namespace rahat::ctl
