#include "runtime/cluster/overrides/overrides.hpp"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <cstdio>
#include <cstdlib>

namespace {

/// The library's own function behind ours. Without it nothing can go on: there is no link to serve.
template <class Function>
Function* behind(const char* name) {
  auto* found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "OpenSSL's %s is not to be found: link it as a shared library\n", name);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

/// What a library finds that asks for the name, as libcaf_openssl does.
template <class Function>
bool is_reached(const char* name, Function* ours) {
  return ::dlsym(RTLD_DEFAULT, name) == reinterpret_cast<void*>(ours);
}

} // namespace

// An executable's definitions come before those of libraries. Boost.Asio and libpq come through
// here too, which does no harm: both empty the queue by themselves.

extern "C" int SSL_read(SSL* link, void* to, int bytes) {
  static auto* const original = behind<int(SSL*, void*, int)>("SSL_read");
  ERR_clear_error();
  return original(link, to, bytes);
}

extern "C" int SSL_write(SSL* link, const void* from, int bytes) {
  static auto* const original = behind<int(SSL*, const void*, int)>("SSL_write");
  ERR_clear_error();
  return original(link, from, bytes);
}

extern "C" int SSL_connect(SSL* link) {
  static auto* const original = behind<int(SSL*)>("SSL_connect");
  ERR_clear_error();
  return original(link);
}

extern "C" int SSL_accept(SSL* link) {
  static auto* const original = behind<int(SSL*)>("SSL_accept");
  ERR_clear_error();
  return original(link);
}

namespace rahat {

bool tls_calls_are_guarded() {
  return is_reached("SSL_read", &SSL_read) && is_reached("SSL_write", &SSL_write) &&
         is_reached("SSL_connect", &SSL_connect) && is_reached("SSL_accept", &SSL_accept);
}

} // namespace rahat
