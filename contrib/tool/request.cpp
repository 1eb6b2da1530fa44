#include "tool/request.hpp"

#include <chrono>

#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/failure.hpp"
#include "tool/websocket.hpp"

namespace bindcast::tool {

namespace {

constexpr std::string_view kId = "request";

// What the server said, when it was that.
void throw_if_refused(const json_t* message, const ServerAddress& server) {
  const json_t* data = json_object_get(message, "data");
  if (text_member(message, "type") != "error") return;
  const std::string said(text_member(data, "message"));
  if (text_member(data, "code") == "AUTH_FAILED") throw Failure(Exit::unauthenticated, no_admission(said, server));
  throw Failure(Exit::refused, said);
}

}  // namespace

Json ask(Network& network, const std::string& type, const Json& data) {
  WebSocket socket(network);
  Json message(json_object());
  set(message.get(), "type", type);
  set(message.get(), "id", kId);
  set_json(message.get(), "data", Json(json_incref(data.get())));
  socket.send(dump(message.get()));
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!interrupted() && std::chrono::steady_clock::now() < end) {
    network.turn();
    while (const auto text = socket.next()) {
      json_error_t fault;
      Json answer = parse_json(*text, JSON_ALLOW_NUL, fault);
      throw_if_refused(answer.get(), network.server());
      if (text_member(answer.get(), "reply_to") != kId) continue;
      socket.close();
      return answer;
    }
    if (socket.http_status() == 401) throw Failure(Exit::unauthenticated, no_admission({}, network.server()));
    if (socket.ended()) throw Failure(Exit::unreachable, network.server().url + ": " + socket.fault());
  }
  if (interrupted()) throw Failure(Exit::refused, "interrupted");
  throw Failure(Exit::unreachable, network.server().url + ": no answer in time");
}

}  // namespace bindcast::tool
