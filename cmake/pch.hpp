#pragma once

// What nearly every file of the house includes; parsed once. Only speeds up: each file still
// includes what it uses.
#include <google/protobuf/message.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
