// HTTP requests that are no upgrades: from the headers to the last byte of the answer. What is served is a table of
// endpoints; an endpoint answers at once or later.
//
// One connection carries one request. libwebsockets 4.1 spins on a request with a body that came together with the one
// before it, and has a record of faults in keep-alive; who asks often has the WebSocket.
//
// Bounds: a body by its endpoint, all bodies and answers by kMostBytes, the time by kBodyUs and kAnswerUs, the number
// of requests by the sockets that the server keeps. Loop thread only.
#pragma once

#include <libwebsockets.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/clock.hpp"
#include "plugin/server/http_exchange.hpp"

namespace bindcast {

// Both at once, where an answer ends the connection anyway. False: the connection is broken.
bool write_at_once(lws* wsi, const HttpAnswer& answer);

class Exchanges {
 public:
  static constexpr std::int64_t kBodyUs = 30'000'000;    // for all of a request to come
  static constexpr std::int64_t kAnswerUs = 60'000'000;  // for an endpoint to answer
  static constexpr std::size_t kMostBytes = 64 * 1024 * 1024;

  Exchanges() = default;
  Exchanges(const Exchanges&) = delete;
  Exchanges& operator=(const Exchanges&) = delete;

  // Bodies of up to `max_body` bytes; 0: none is taken.
  void serve(std::string method, std::string path, Endpoint endpoint, std::size_t max_body = 0);

  // libwebsockets' callbacks; what they return is the value for it.
  int begin(lws* wsi, std::string_view path, Now now);     // HTTP
  int body(lws* wsi, std::string_view part);               // HTTP_BODY
  int body_complete(lws* wsi, Now now);                    // HTTP_BODY_COMPLETION
  int writeable(lws* wsi);                                 // HTTP_WRITEABLE
  void gone(lws* wsi) noexcept { under_way_.erase(wsi); }  // WSI_DESTROY

  // Once a second: answers for what is late.
  void tick(Now now);

 private:
  struct Served {
    std::string method, path;
    Endpoint endpoint;
    std::size_t max_body;
  };
  struct Exchange {
    lws* wsi;
    const Served* served = nullptr;
    HttpRequest request;
    std::int64_t deadline_us = 0;
    bool asked = false;  // the endpoint has the request
    bool answered = false;
    bool head_written = false;
    bool inside = false;  // a callback of libwebsockets, which goes on with what is answered meanwhile
    HttpAnswer answer;
    std::size_t written = 0;  // of the answer's body
    std::size_t held = 0;     // counted in held_
    std::size_t* total = nullptr;
    ~Exchange() {
      if (total != nullptr) *total -= held;
    }
    void hold(std::size_t bytes) {
      *total += bytes;
      *total -= held;
      held = bytes;
    }
  };

  [[nodiscard]] HttpAnswer refusal(std::string_view method, std::string_view path) const;
  void ask(const std::shared_ptr<Exchange>& exchange, Now now);
  void answer(Exchange& exchange, HttpAnswer answer);
  int write(Exchange& exchange);

  std::vector<std::unique_ptr<Served>> served_;
  std::size_t held_ = 0;  // before under_way_, whose end counts it down
  std::unordered_map<lws*, std::shared_ptr<Exchange>> under_way_;
};

}  // namespace bindcast
