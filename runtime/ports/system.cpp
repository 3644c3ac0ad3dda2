#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <openssl/rand.h>
#include <ctime>
#include <stdexcept>

namespace rahat {

std::int64_t system_clock_port::now_us() const {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

std::chrono::steady_clock::time_point system_clock_port::steady() const {
  return std::chrono::steady_clock::now();
}

std::int64_t system_clock_port::boot_us() const {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

void system_random::fill(void* out, std::size_t bytes) {
  if (RAND_bytes(static_cast<unsigned char*>(out), static_cast<int>(bytes)) != 1)
    throw std::runtime_error("the system's random generator failed");
}

} // namespace rahat
