#include "apps/rahatctl/client.hpp"

#include <curl/curl.h>
#include <sys/random.h>

#include <array>
#include <istream>
#include <memory>

namespace rahat::ctl {

namespace {

constexpr long connect_timeout_s = 5;

using header_list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void add(header_list& headers, const std::string& line) {
  if (auto* longer = curl_slist_append(headers.get(), line.c_str())) {
    headers.release(); // appended to in place: `longer` begins with it
    headers.reset(longer);
  }
}

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* into) {
  auto& body = static_cast<answer*>(into)->body;
  if (body.size() + count > max_answer_bytes)
    return 0; // libcurl then ends with CURLE_WRITE_ERROR
  body.append(bytes, count);
  return count;
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* into) {
  std::string_view line(bytes, count);
  constexpr std::string_view name = "etag:";
  if (line.size() > name.size() && curl_strnequal(line.data(), name.data(), name.size())) {
    auto value = line.substr(name.size());
    auto first = value.find_first_not_of(" \t");
    auto last = value.find_last_not_of(" \t\r\n");
    if (first != std::string_view::npos)
      static_cast<answer*>(into)->etag = value.substr(first, last - first + 1);
  }
  return count;
}

std::size_t give_upload(char* room, std::size_t, std::size_t count, void* from) {
  auto& in = *static_cast<std::istream*>(from);
  in.read(room, static_cast<std::streamsize>(count));
  return in.bad() ? CURL_READFUNC_ABORT : static_cast<std::size_t>(in.gcount());
}

int look_whether_to_go_on(void* wanted, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<std::function<bool()>*>(wanted))() ? 1 : 0;
}

std::string fault_text(CURLcode code, const std::string& url, const char* detail) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return "nobody answers at " + url + ": is the node running? (./dev run, or give its address)";
    case CURLE_ABORTED_BY_CALLBACK: return "given up while " + url + " was asked";
    case CURLE_OPERATION_TIMEDOUT: return "no answer from " + url + " in time";
    case CURLE_WRITE_ERROR: return "the answer from " + url + " is longer than 64 MiB";
    default: return "cannot ask " + url + ": " + (*detail ? detail : curl_easy_strerror(code));
  }
}

void set_body(CURL* curl, const call& what, header_list& headers) {
  if (what.upload) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_upload);
    curl_easy_setopt(curl, CURLOPT_READDATA, what.upload);
    add(headers, "Transfer-Encoding: chunked");
  } else if (what.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, what.body.c_str());
  }
  if (what.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, what.method.c_str());
    add(headers, "Content-Type: " + what.content_type);
    add(headers, "Expect:"); // no round trip before the body
  }
  if (what.method == "POST")
    add(headers,
        "Idempotency-Key: " + (what.idempotency_key.empty() ? random_key() : what.idempotency_key));
}

} // namespace

client::client(std::string base_url, std::string token)
    : base_url_(std::move(base_url)), token_(std::move(token)) {
  static const auto once = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(once);
  while (base_url_.ends_with('/'))
    base_url_.pop_back();
  curl_ = curl_easy_init();
}

client::~client() {
  curl_easy_cleanup(static_cast<CURL*>(curl_));
}

answer client::send(const call& what) {
  answer out;
  auto* curl = static_cast<CURL*>(curl_);
  if (!curl) {
    out.fault = "libcurl cannot start: out of memory";
    return out;
  }
  const auto url = base_url_ + what.path;
  std::array<char, CURL_ERROR_SIZE> detail{};
  header_list headers(nullptr, curl_slist_free_all);
  curl_easy_reset(curl); // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_timeout_s);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(what.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &out);
  add(headers, "Accept: application/json");
  if (!token_.empty())
    add(headers, "Authorization: Bearer " + token_);
  if (give_up_) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_whether_to_go_on);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &give_up_);
  }
  set_body(curl, what, headers);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());

  if (auto code = curl_easy_perform(curl); code != CURLE_OK) {
    out.fault = fault_text(code, url, detail.data());
    return out;
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out.status);
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  out.content_type = type ? type : "";
  return out;
}

std::string random_key() {
  std::array<unsigned char, 16> bytes{};
  // Sixteen bytes are never returned in part, and the system's generator is ready after boot.
  static_cast<void>(getrandom(bytes.data(), bytes.size(), 0));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (auto byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
  }
  return out;
}

} // namespace rahat::ctl
