#pragma once

#include "gateways/http/handler.hpp"

#include <string>
#include <string_view>

namespace rahat::http {

struct reply_form {
  bool http_1_0 = false;
  bool keep_alive = true;
};

/// True for those statuses whose reply has no content (RFC 9110): 1xx, 204, 304.
bool has_content(unsigned status);

/// Appends status line and header fields of `answer` to `out`, the empty line included. Bytes that
/// would break out of a header field are replaced by blanks. `date` may be empty.
void append_reply_head(std::string& out, const response& answer, reply_form form,
                       std::string_view date);

/// "Sun, 06 Nov 1994 08:49:37 GMT" for seconds since 1970.
std::string http_date(std::int64_t seconds);

} // namespace rahat::http
