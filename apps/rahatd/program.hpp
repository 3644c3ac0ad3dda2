#pragma once

#include "apps/rahatd/node.hpp"

namespace rahat {

/// All of `rahatd` from its command line to its exit code: 0 stopped in order, 2 a wrong flag or
/// setting, 3 it could not start, 4 it may never serve again and is to be started anew. `injected`
/// is for programs of tests. Main thread; once a process.
int run_program(int argc, char** argv, node::faults injected = {});

} // namespace rahat
