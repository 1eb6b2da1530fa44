// bindcast login and logout: a session instead of a token, kept in a file of this user's own.

#include <unistd.h>

#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/commands.hpp"
#include "tool/password.hpp"

namespace bindcast::tool {

void login(const LoginOptions& options) {
  Access access = options.access;
  access.says_token = false;
  Network network(access);
  if (!network.server().encrypted && !network.server().is_local() && !access.insecure)
    throw Failure(Exit::usage, "the password would go to " + network.server().host +
                                   " unencrypted: use wss://, or say " + "--insecure");
  Secret password;
  read_password(password, false);
  Json body(json_object());
  set(body.get(), "user", options.user);
  set(body.get(), "password", password.text);
  json_error_t fault;
  Secret said{dump(body.get())};
  const Json answer = parse_json(post(network, "/api/v1/login", said.text), 0, fault);
  const std::string token(text_member(answer.get(), "token"));
  if (token.empty()) throw Failure(Exit::refused, "the server's answer holds no token");
  write_line(state_file("session", network.server(), true), token);
}

void logout(const LoginOptions& options) {
  Access access = options.access;
  const ServerAddress server = access.server();
  const std::string file = state_file("session", server, false);
  if (!first_line(file)) throw Failure(Exit::refused, "there is no session with " + server.url);
  access.token_file = file;
  Network network(access);
  try {
    (void)post(network, "/api/v1/logout");
  } catch (const Failure& failure) {
    unlink(file.c_str());  // it is forgotten here whatever the server says
    if (failure.code != Exit::unauthenticated) throw;
  }
  unlink(file.c_str());
}

}  // namespace bindcast::tool
