#include "tool/websocket.hpp"

#include <zlib.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace bindcast::tool {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatienceAtEnd{500};

// One zlib stream (RFC 1950); nothing when it is none, or too large.
std::optional<std::string> inflated(std::string_view packed) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string text;
  std::array<char, 65536> part;
  int state = Z_OK;
  while (state == Z_OK && text.size() <= kMostMessageBytes) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = static_cast<uInt>(part.size());
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(part.data(), part.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END || text.size() > kMostMessageBytes) return std::nullopt;
  return text;
}

}  // namespace

WebSocket::WebSocket(Network& network) : Connection(network) {
  connect(nullptr, "/ws", "bindcast.v1.deflate");
}

WebSocket::~WebSocket() = default;

bool WebSocket::append_headers(lws*, unsigned char**, unsigned char*) {
  return true;
}

std::optional<std::string> WebSocket::next() {
  if (received_.empty()) return std::nullopt;
  std::string message = std::move(received_.front());
  received_.pop_front();
  return message;
}

void WebSocket::send(std::string text) {
  unsent_.push_back(std::move(text));
  if (open()) lws_callback_on_writable(wsi_);
}

void WebSocket::close() {
  closing_ = true;
  // A close frame with a code leaves from the timer's callback only.
  if (open()) lws_set_timer_usecs(wsi_, 1);
  for (const auto end = Clock::now() + kPatienceAtEnd; open() && Clock::now() < end;) network_.turn();
}

int WebSocket::receive(lws* wsi, std::string_view part) {
  if (part.size() > kMostMessageBytes - partial_.size()) {
    end("a message is too large");
    return -1;
  }
  partial_ += part;
  if (lws_is_final_fragment(wsi) == 0 || lws_remaining_packet_payload(wsi) != 0) return 0;
  std::string whole = std::exchange(partial_, {});
  if (lws_frame_is_binary(wsi) != 0) {
    auto text = inflated(whole);
    if (!text) {
      end("a message is not compressed as it should be");
      return -1;
    }
    whole = std::move(*text);
  }
  received_.push_back(std::move(whole));
  return 0;
}

int WebSocket::write(lws* wsi) {
  if (unsent_.empty()) return 0;
  const std::string text = std::move(unsent_.front());
  unsent_.pop_front();
  std::vector<unsigned char> bytes(LWS_PRE + text.size());
  std::memcpy(bytes.data() + LWS_PRE, text.data(), text.size());
  if (lws_write(wsi, bytes.data() + LWS_PRE, text.size(), LWS_WRITE_TEXT) < 0) return -1;
  if (!unsent_.empty()) lws_callback_on_writable(wsi);
  return 0;
}

int WebSocket::on(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length) {
  switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
      open_ = true;
      if (!unsent_.empty()) lws_callback_on_writable(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
      return receive(wsi, {static_cast<const char*>(in), length});
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      return write(wsi);
    case LWS_CALLBACK_TIMER:
      if (!closing_) return 0;
      lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, nullptr, 0);
      return -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      if (const auto* bytes = static_cast<const unsigned char*>(in); length >= 2) {
        close_code_ = bytes[0] << 8 | bytes[1];
        close_reason_.assign(reinterpret_cast<const char*>(bytes) + 2, length - 2);
      }
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
      end(!close_reason_.empty() ? close_reason_ : "the connection ended");
      return 0;
    default:
      return 0;
  }
}

}  // namespace bindcast::tool
