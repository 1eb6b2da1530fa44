// The unix socket on which local scripts publish: one JSON event a line, one line of answer for each. The kernel says
// who is at the other end (SO_PEERCRED); whoever may write to the socket's file is a publisher.
//
// Nothing here waits: sockets are read and written when they are ready, lines are taken in turns, a socket whose
// answers are not read is not read either. Lines, connections and silence are bounded. Loop thread only. Owned by the
// server.
#pragma once

#include <uv.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/faults.hpp"
#include "plugin/json_parse.hpp"
#include "plugin/log.hpp"
#include "plugin/publish/publishing.hpp"
#include "plugin/publish/turns.hpp"
#include "plugin/server/acceptor.hpp"

namespace bindcast {

class PublishSocket {
 public:
  static constexpr std::size_t kMaxConnections = 64;

  PublishSocket(uv_loop_t* loop, Log log, Publishing& publishing, Turns& turns, Faults& faults);
  ~PublishSocket();
  PublishSocket(const PublishSocket&) = delete;
  PublishSocket& operator=(const PublishSocket&) = delete;

  // Once a second and when the options change: listens where publish.socket says, ends the silent.
  void tick(Now now);
  // Nobody new comes in, and nothing more is read; what has been read is left to Turns.
  void stop();
  // Every socket is closed; the loop must turn once more.
  void close();

  [[nodiscard]] bool wanted() const noexcept { return !publishing_.options().socket.empty(); }
  // {"path", "connections", "fault"}
  [[nodiscard]] Json status() const;

 private:
  class Connection;

  void listen();
  void accepted(int fd);
  void ended(Connection& connection) noexcept;

  uv_loop_t* loop_;
  Log log_;
  Publishing& publishing_;
  Turns& turns_;
  Faults& faults_;
  std::string path_;  // that is listened on, or tried
  std::unique_ptr<Acceptor> acceptor_;
  std::string fault_;  // why there is no acceptor
  bool stopped_ = false;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace bindcast
