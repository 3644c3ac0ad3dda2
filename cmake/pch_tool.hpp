#pragma once

// The same for tools, which all speak of command lines.
#include "cmake/pch.hpp"

#include <CLI/CLI.hpp>
