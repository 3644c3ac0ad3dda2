#include "gateways/http/reply_head.hpp"

#include <charconv>
#include <ctime>

namespace rahat::http {

namespace {

std::string_view reason_of(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return ""; // the phrase may be empty
  }
}

void append_number(std::string& out, std::size_t n) {
  char digits[20];
  auto [end, ec] = std::to_chars(digits, digits + sizeof(digits), n);
  out.append(digits, end);
}

/// Header text comes from handlers, and through them perhaps from users: no CR, LF or NUL passes.
void append_clean(std::string& out, std::string_view text) {
  for (char c : text)
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
}

} // namespace

bool has_content(unsigned status) {
  return status >= 200 && status != 204 && status != 304;
}

void append_reply_head(std::string& out, const response& answer, reply_form form,
                       std::string_view date) {
  out += form.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
  append_number(out, answer.status);
  out += ' ';
  out += reason_of(answer.status);
  out += "\r\n";
  if (!date.empty()) {
    out += "Date: ";
    out += date;
    out += "\r\n";
  }
  if (has_content(answer.status)) {
    if (!answer.content_type.empty()) {
      out += "Content-Type: ";
      append_clean(out, answer.content_type);
      out += "\r\n";
    }
    out += "Content-Length: ";
    append_number(out, answer.body.size());
    out += "\r\n";
  }
  for (auto& [name, value] : answer.headers) {
    append_clean(out, name);
    out += ": ";
    append_clean(out, value);
    out += "\r\n";
  }
  if (!form.keep_alive)
    out += "Connection: close\r\n";
  else if (form.http_1_0)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

std::string http_date(std::int64_t seconds) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto when = static_cast<std::time_t>(seconds);
  std::tm t{};
  gmtime_r(&when, &t);
  char text[64];
  auto n =
      std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday],
                    t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  return {text, static_cast<std::size_t>(n)};
}

} // namespace rahat::http
