// SPDX-License-Identifier: MIT
//
// Redis and nginx for the rivals and the floor. They have the same settings as Letterbox's own
// stack (scripts/service, nginx/nginx.conf): persistence, number of workers and connections, and
// the buffered access log.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stack.h"

namespace letterbox::bench {

/// A loopback port that is free at this moment.
uint16_t free_port();

/// The children of this process that make up a stack; they are ended in reverse order of birth.
class ServedStack : public Stack {
 public:
  ~ServedStack() override;
  void revive_redis() override;
  void finish_revival() override {}

 protected:
  ServedStack(std::string name, std::unique_ptr<Dialect> dialect, std::string directory);

  /// Append-only file, synced every second, as Letterbox's. Sets redis(). `tcp`: on a loopback port
  /// and not on a unix socket.
  void start_redis(bool tcp);
  /// `modules` is at the top of the configuration, `http` within http{}, `server` within its
  /// server{}. Sets port(), if it isn't set already.
  void start_nginx(const std::string& modules, const std::string& http, const std::string& server);
  /// Returns when a program listens on that loopback port; `log` is that program's log.
  void await_listener(uint16_t tcp_port, const std::string& log) const;
  /// Returns when a push to a user of its own has been accepted.
  void await_push();

  std::string path(const std::string& file) const { return directory_ + '/' + file; }

 private:
  const std::string directory_;
  std::vector<std::string> redis_command_;
};

}  // namespace letterbox::bench
