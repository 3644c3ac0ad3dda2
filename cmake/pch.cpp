#include "cmake/pch.hpp"
