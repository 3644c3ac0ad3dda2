#pragma once

// The same for tests, which all include GoogleTest.
#include "cmake/pch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
