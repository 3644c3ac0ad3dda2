#include "gateways/live/feed_order.hpp"

#include <algorithm>

namespace rahat::live {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t max_token_bytes = 8 * 1024;

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

bool read_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0)
      return true;
  }
  return false;
}

std::string base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (unsigned char byte : bytes) {
    bits = bits << 8 | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += alphabet[bits >> held & 63];
    }
  }
  if (held > 0)
    out += alphabet[bits << (6 - held) & 63];
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    auto value = alphabet.find(c);
    if (value == std::string_view::npos)
      return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 255);
    }
  }
  return out;
}

} // namespace

std::string feed_token::text() const {
  std::string bytes;
  std::uint64_t skipped = 0; // shards without events are run-length coded
  for (auto position : positions) {
    if (position == 0) {
      ++skipped;
      continue;
    }
    append_varint(bytes, skipped);
    append_varint(bytes, position);
    skipped = 0;
  }
  return "f1." + base64url(bytes);
}

std::optional<feed_token> feed_token::parse(std::string_view text) {
  if (!text.starts_with("f1.") || text.size() > max_token_bytes)
    return std::nullopt;
  auto bytes = from_base64url(text.substr(3));
  if (!bytes)
    return std::nullopt;
  feed_token token;
  std::string_view rest{*bytes};
  std::uint64_t shard = 0;
  while (!rest.empty()) {
    std::uint64_t skipped = 0;
    std::uint64_t position = 0;
    if (!read_varint(rest, skipped) || !read_varint(rest, position) || skipped >= shard_count)
      return std::nullopt;
    shard += skipped;
    if (shard >= shard_count)
      return std::nullopt;
    token.positions[shard++] = position;
  }
  return token;
}

void feed_order::start_at(shard_id shard, std::uint64_t position) {
  auto& s = shards_[shard];
  if (s.started)
    return;
  s.started = true;
  s.last = s.waiting.empty() ? position : std::min(position, s.waiting.begin()->first - 1);
  token_.positions[shard] = s.last;
}

void feed_order::add(const live_event& event, const emit& out) {
  auto& s = shards_[event.shard];
  if (s.started && event.position <= s.last)
    return; // announced already, or fetched from the journal before its host spoke
  s.waiting.emplace(event.position, event);
  if (s.started)
    flush(event.shard, out);
  if (s.waiting.size() > max_waiting)
    s.waiting.erase(std::prev(s.waiting.end()));
}

void feed_order::flush(shard_id shard, const emit& out) {
  auto& s = shards_[shard];
  while (!s.waiting.empty()) {
    auto first = s.waiting.begin();
    if (first->first > s.last + 1)
      return;
    if (first->first == s.last + 1) {
      s.last = first->first;
      token_.positions[first->second.shard] = s.last;
      out(first->second);
    }
    s.waiting.erase(first);
  }
}

} // namespace rahat::live
