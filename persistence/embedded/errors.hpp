#pragma once

#include <stdexcept>

namespace rahat {

/// The embedded Postgres cannot be run as things are. The message is one or two sentences for the
/// person who started the node: what is wrong and what to do.
class embedded_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace rahat
