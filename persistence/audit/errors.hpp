#pragma once

#include <stdexcept>

namespace rahat {

/// The audit cannot do its work: a key or a file that is missing or damaged, a journal that ends
/// before the rows that were counted already. The message says what to do.
class audit_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace rahat
