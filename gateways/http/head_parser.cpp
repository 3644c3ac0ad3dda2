#include "gateways/http/head_parser.hpp"

#include "gateways/http/text.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>

namespace rahat::http {

namespace {

namespace bhttp = boost::beast::http;

std::string_view plain(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// The lines of a list field are one list (RFC 9110 5.3); an empty line is a list of nothing, which
/// is not the same as no list.
void add_line(std::string& list, std::string_view line) {
  if (!list.empty() || line.empty())
    list += ',';
  list += line;
}

/// "identity" says that nothing was done to the content (RFC 9110 8.4.1).
bool is_identity(std::string_view codings) {
  while (!codings.empty()) {
    auto comma = codings.find(',');
    auto one = trim(codings.substr(0, comma));
    if (!one.empty() && !iequals(one, "identity"))
      return false;
    codings.remove_prefix(comma == std::string_view::npos ? codings.size() : comma + 1);
  }
  return true;
}

} // namespace

bool has_folded_line(std::string_view head) {
  auto* at = head.data();
  auto* end = at + head.size();
  while ((at = static_cast<const char*>(
              std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) != nullptr) {
    if (++at == end)
      return false;
    if (*at == ' ' || *at == '\t')
      return true;
  }
  return false;
}

void head_parser::refuse(edge_problem what, std::string detail, error_code& ec) {
  refused_ = true;
  fault.what = what;
  fault.detail = std::move(detail);
  ec = bhttp::make_error_code(bhttp::error::bad_value);
}

bool head_parser::read_head(std::string_view bytes) {
  error_code ec;
  if (has_folded_line(bytes)) {
    refuse(edge_problem::bad_request, "a header field may not be folded over several lines", ec);
    return false;
  }
  auto used = put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
  if (!ec && used == bytes.size() && head_read_) {
    eager(true);
    return true;
  }
  if (refused_)
    return false;
  if (ec == bhttp::error::bad_version)
    refuse(edge_problem::http_version_not_supported, "speak HTTP/1.1", ec);
  else
    refuse(edge_problem::bad_request,
           "this is not well-formed HTTP/1.1: " + (ec ? ec.message() : "stray bytes"), ec);
  return false;
}

std::size_t head_parser::read_body(std::string_view bytes, std::string& body, bool& failed) {
  body_ = &body;
  error_code ec;
  auto used = put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
  failed = ec && ec != bhttp::error::need_more;
  return used;
}

void head_parser::on_request_impl(verb, text method, text target, int version, error_code& ec) {
  modern = version >= 11;
  head.verb = plain(method);
  head.target = plain(target);
  if (target.size() > max_target_bytes_)
    refuse(edge_problem::uri_too_long,
           "path and query have at most " + std::to_string(max_target_bytes_) + " bytes", ec);
}

void head_parser::on_field_impl(field name, text name_text, text value_text, error_code& ec) {
  if (head_read_)
    return; // a trailer: allowed, not used
  auto value = plain(value_text);
  switch (name) {
    case field::host: ++hosts_; break;
    case field::accept: head.accept = value; break;
    case field::content_type: head.content_type = value; break;
    case field::authorization:
      ++authorizations_;
      head.authorization = value;
      break;
    case field::content_encoding:
      if (!is_identity(value))
        head.content_encoding = value;
      break;
    case field::if_match: add_line(head.if_match, value); break;
    case field::if_none_match: add_line(head.if_none_match, value); break;
    case field::upgrade: upgrade_to = value; break;
    case field::content_length:
      if (++content_lengths_ > 1 || value.find(',') != std::string_view::npos)
        refuse(edge_problem::bad_request, "send one Content-Length", ec);
      break;
    case field::transfer_encoding:
      if (++transfer_encodings_ > 1)
        refuse(edge_problem::bad_request, "send one Transfer-Encoding", ec);
      else if (!iequals(value, "chunked"))
        refuse(edge_problem::not_implemented, "the only transfer coding read here is chunked", ec);
      break;
    case field::expect:
      if (iequals(value, "100-continue"))
        expects_continue = true;
      else
        refuse(edge_problem::expectation_failed, "the only expectation met is 100-continue", ec);
      break;
    case field::unknown:
      if (iequals(plain(name_text), "idempotency-key")) {
        if (head.has_idempotency_key)
          refuse(edge_problem::bad_request, "send one Idempotency-Key", ec);
        head.has_idempotency_key = true;
        head.idempotency_key = value;
      } else if (iequals(plain(name_text), "traceparent")) {
        head.traceparent = value;
      }
      break;
    default: break;
  }
}

void head_parser::on_header_impl(error_code& ec) {
  head_read_ = true;
  if (content_lengths_ > 0 && transfer_encodings_ > 0)
    refuse(edge_problem::bad_request, "send Content-Length or Transfer-Encoding, not both", ec);
  else if (!modern && transfer_encodings_ > 0)
    refuse(edge_problem::bad_request, "HTTP/1.0 has no Transfer-Encoding", ec);
  else if (hosts_ > 1 || (modern && hosts_ == 0))
    refuse(edge_problem::bad_request, "send one Host header", ec);
  else if (authorizations_ > 1)
    refuse(edge_problem::bad_request, "send one Authorization header", ec);
  if (!modern)
    expects_continue = false; // RFC 9110 10.1.1: ignored from HTTP/1.0
}

std::size_t head_parser::on_body_impl(text piece, error_code&) {
  body_->append(piece.data(), piece.size());
  return piece.size();
}

std::size_t head_parser::on_chunk_body_impl(std::uint64_t, text piece, error_code&) {
  body_->append(piece.data(), piece.size());
  return piece.size();
}

} // namespace rahat::http
