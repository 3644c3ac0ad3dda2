#pragma once

#include "gateways/http/problem.hpp"
#include "gateways/http/router.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <string>

namespace rahat::http {

/// Reads one request on top of Beast's tokenizer, without a container of fields: what the router
/// asks for is kept as views into the connection's buffer, everything else is only checked.
/// Stricter than the tokenizer where leniency would let two servers disagree about where a request
/// ends (request smuggling).
class head_parser : public boost::beast::http::basic_parser<true> {
public:
  explicit head_parser(std::size_t max_target_bytes) : max_target_bytes_(max_target_bytes) {
    header_limit(UINT32_MAX); // the connection bounds the header itself
    body_limit(boost::none);  // as well as the body
  }

  /// Parses a complete header, `bytes` ending in an empty line. False: see `fault`.
  bool read_head(std::string_view bytes);

  /// Parses body bytes and appends the content to `body`. Returns how many bytes were used; sets
  /// `failed` on a framing error. `bytes` is not empty and the parser is not done.
  std::size_t read_body(std::string_view bytes, std::string& body, bool& failed);

  request_head head;
  std::string_view upgrade_to;
  bool expects_continue = false;
  bool modern = true; // HTTP/1.1, not 1.0

  struct {
    edge_problem what = edge_problem::bad_request;
    std::string detail;
  } fault;

private:
  using field = boost::beast::http::field;
  using verb = boost::beast::http::verb;
  using text = boost::beast::string_view;
  using error_code = boost::beast::error_code;

  void on_request_impl(verb, text method, text target, int version, error_code& ec) override;
  void on_response_impl(int, text, int, error_code&) override {}
  void on_field_impl(field name, text name_text, text value, error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(text piece, error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text piece, error_code& ec) override;
  void on_finish_impl(error_code&) override {}

  void refuse(edge_problem what, std::string detail, error_code& ec);

  const std::size_t max_target_bytes_;
  std::string* body_ = nullptr;
  bool head_read_ = false;
  bool refused_ = false;
  unsigned hosts_ = 0;
  unsigned content_lengths_ = 0;
  unsigned transfer_encodings_ = 0;
  unsigned authorizations_ = 0;
};

/// True when a header uses obsolete line folding (a line that begins with a blank).
bool has_folded_line(std::string_view head);

} // namespace rahat::http
