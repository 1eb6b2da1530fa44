#include "tool/api.hpp"

#include "plugin/server/messages.hpp"
#include "tool/failure.hpp"

namespace bindcast::tool {

namespace {

constexpr int kUnauthorized = 401;

// What an error's body says: {"error": "…"} or {"error": {"message": "…"}}.
std::string said_in(const std::string& body) {
  json_error_t fault;
  const Json root = parse_json(body, 0, fault);
  const json_t* error = json_object_get(root.get(), "error");
  return std::string(json_is_object(error) ? text_member(error, "message") : text_member(root.get(), "error"));
}

std::string body_of(const Network& network, HttpAnswer answer) {
  if (answer.status >= 200 && answer.status <= 299) return std::move(answer.body);
  const std::string said = said_in(answer.body);
  if (answer.status == kUnauthorized) throw Failure(Exit::unauthenticated, no_admission(said, network.server()));
  throw Failure(Exit::refused, network.server().url + ": " + (said.empty() ? "refused" : said) + " (HTTP " +
                                   std::to_string(answer.status) + ")");
}

}  // namespace

std::string no_admission(const std::string& said, const ServerAddress& server) {
  const bool none_said = said.empty() || said.starts_with("authenticate first");
  const std::string text = server.url + ": " + (none_said ? "the server wants a valid token" : said);
  if (text.find("token") == std::string::npos) return text;
  return text + " (--token-file, BINDCAST_TOKEN, bindcast login or " + kNamedTokenFile + ")";
}

std::string get(Network& network, const std::string& path) {
  return body_of(network, network.request("GET", path, {}));
}

std::string post(Network& network, const std::string& path, const std::string& body) {
  return body_of(network, network.request("POST", path, body));
}

std::string url_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos)) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace bindcast::tool
