#include "tests/support/ws_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

namespace rahat::test {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ws = boost::beast::websocket;
using boost::system::error_code;

constexpr std::chrono::seconds handshake_limit{15};
constexpr std::size_t max_message_bytes = 4 << 20;

} // namespace

struct ws_client::impl {
  asio::io_context context;
  ws::stream<asio::ip::tcp::socket> stream{context};
  ws::response_type answer;
  beast::flat_buffer buffer;
  bool accepted = false;
  bool reading = false;
  bool ended = false;
  std::optional<std::string> message;

  /// Runs until `done`; false when the limit passed first.
  template <class Done>
  bool run(Done done, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    context.restart();
    while (!done())
      if (context.run_one_until(deadline) == 0)
        return done();
    return true;
  }

  void start_reading() {
    if (reading || ended)
      return;
    reading = true;
    stream.async_read(buffer, [this](error_code failed, std::size_t) {
      reading = false;
      if (failed) {
        ended = true;
        return;
      }
      message = beast::buffers_to_string(buffer.data());
      buffer.clear();
    });
  }

  template <class Start>
  bool write(Start start) {
    std::optional<error_code> result;
    start([&result](error_code failed, std::size_t) { result = failed; });
    run([&] { return result.has_value(); }, handshake_limit);
    return result && !*result;
  }
};

ws_client::ws_client(std::uint16_t port, const handshake& how) : impl_(std::make_unique<impl>()) {
  auto& my = *impl_;
  error_code failed;
  my.stream.next_layer().connect({asio::ip::address_v4::loopback(), port}, failed);
  if (failed)
    return;
  my.stream.read_message_max(max_message_bytes);
  my.stream.set_option(ws::stream_base::decorator([&how](ws::request_type& ask) {
    if (!how.authorization.empty())
      ask.set(beast::http::field::authorization, how.authorization);
    if (!how.protocols.empty())
      ask.set(beast::http::field::sec_websocket_protocol, how.protocols);
  }));
  std::optional<error_code> result;
  my.stream.async_handshake(my.answer, "127.0.0.1", how.path,
                            [&result](error_code e) { result = e; });
  my.run([&] { return result.has_value(); }, handshake_limit);
  my.accepted = result && !*result;
}

ws_client::~ws_client() = default;

bool ws_client::accepted() const {
  return impl_->accepted;
}

unsigned ws_client::status() const {
  return impl_->answer.version() != 0 ? impl_->answer.result_int() : 0;
}

std::string ws_client::protocol() const {
  return std::string{impl_->answer[beast::http::field::sec_websocket_protocol]};
}

bool ws_client::send(std::string_view text) {
  impl_->stream.text(true);
  return impl_->write(
      [&](auto done) { impl_->stream.async_write(asio::buffer(text.data(), text.size()), done); });
}

bool ws_client::send_binary(std::string_view bytes) {
  impl_->stream.binary(true);
  return impl_->write([&](auto done) {
    impl_->stream.async_write(asio::buffer(bytes.data(), bytes.size()), done);
  });
}

bool ws_client::send_raw(std::string_view bytes) {
  return impl_->write([&](auto done) {
    asio::async_write(impl_->stream.next_layer(), asio::buffer(bytes.data(), bytes.size()), done);
  });
}

std::optional<std::string> ws_client::next(std::chrono::milliseconds limit) {
  auto& my = *impl_;
  my.start_reading();
  my.run([&] { return my.message.has_value() || my.ended; }, limit);
  return std::exchange(my.message, std::nullopt);
}

bool ws_client::ended() const {
  return impl_->ended;
}

unsigned ws_client::close_code() const {
  return impl_->stream.reason().code;
}

} // namespace rahat::test
