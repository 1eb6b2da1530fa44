// The client's side of the WebSocket. One thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "tool/network.hpp"

namespace bindcast::tool {

// A WebSocket of the subprotocol bindcast.v1.deflate.
class WebSocket : public Connection {
 public:
  explicit WebSocket(Network& network);  // begins to connect
  ~WebSocket() override;

  [[nodiscard]] bool open() const noexcept { return open_ && !ended(); }
  // The next message, unpacked.
  [[nodiscard]] std::optional<std::string> next();
  void send(std::string text);
  // Ends it in order, and waits a moment for the other side to agree.
  void close();
  // The code of the server's close frame, or 0. (1012 and 1013 come as 1002: libwebsockets 4.1 does not know them.)
  [[nodiscard]] int close_code() const noexcept { return close_code_; }

 private:
  int on(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length) override;
  bool append_headers(lws* wsi, unsigned char** at, unsigned char* limit) override;
  int receive(lws* wsi, std::string_view part);
  int write(lws* wsi);

  bool open_ = false, closing_ = false;
  int close_code_ = 0;
  std::string close_reason_;
  std::string partial_;
  std::deque<std::string> received_, unsent_;
};

}  // namespace bindcast::tool
