// The network side: libwebsockets on its own poll loop, driven a turn at a time. One thread.
//
// Nothing is thrown through libwebsockets: its callbacks only note what happened, and whoever drives the loop looks.
#pragma once

#include <libwebsockets.h>
#include <openssl/ssl.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tool/access.hpp"

namespace bindcast::tool {

inline constexpr std::size_t kMostMessageBytes = 64 * 1024 * 1024;  // of what the server sends
inline constexpr std::chrono::seconds kPatience{15};                // for a connection, or an answer

class Connection;

// SIGINT, SIGTERM and SIGHUP end the loop; SIGPIPE is ignored. Returns true when one has come.
[[nodiscard]] bool interrupted() noexcept;
void take_signals();

struct HttpAnswer {
  int status = 0;
  std::string body;
};

class Network {
 public:
  explicit Network(Access access);  // throws Failure
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] const ServerAddress& server() const noexcept { return server_; }

  // Waits for whatever comes next, and at most a tenth of a second.
  void turn();

  // One request and its answer, whatever its status. Throws Failure (unreachable) when there is none in time.
  [[nodiscard]] HttpAnswer request(const char* method, const std::string& path, const std::string& body);

 private:
  friend class Connection;
  static int callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t length);
  static const lws_protocols kProtocols[];

  Access access_;
  ServerAddress server_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, &SSL_CTX_free};
  lws_context* context_ = nullptr;
  lws_sorted_usec_list_t alarm_{};
};

// What a WebSocket and a request have in common: how they connect, and to whom they say the token.
class Connection {
 public:
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  // Why it ended; empty when it went well.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
  // Of the answer that refused the upgrade to a WebSocket; 0: there was none.
  [[nodiscard]] int http_status() const noexcept { return http_status_; }

 protected:
  explicit Connection(Network& network) : network_(network) {}
  // Begins to connect. Throws Failure for a token that cannot be used.
  void connect(const char* method, const std::string& path, const char* subprotocol);
  void end(std::string fault);
  // What the derived one wants to know of; not zero closes the connection.
  virtual int on(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length) = 0;
  virtual bool append_headers(lws* wsi, unsigned char** at, unsigned char* limit) = 0;
  static bool append(lws* wsi, const char* name, const std::string& value, unsigned char** at, unsigned char* limit);

  Network& network_;
  lws* wsi_ = nullptr;

 private:
  friend class Network;
  int handle(lws* wsi, lws_callback_reasons reason, void* in, std::size_t length);
  int write_head(lws* wsi, unsigned char** at, std::size_t room);
  void connect_next();
  [[nodiscard]] std::string why_not_connected(lws* wsi, std::string_view said) const;

  std::string method_, path_, token_;
  const char* subprotocol_ = nullptr;
  std::deque<std::string> addresses_;  // still to be tried
  bool connected_ = false, ended_ = false;
  int http_status_ = 0;
  std::string fault_;
};

}  // namespace bindcast::tool
