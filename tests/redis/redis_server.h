// SPDX-License-Identifier: MIT
//
// A redis-server for the tests alone: on a unix socket in a folder of its own, and on a TCP port
// only if a test asks for it. It and the folder are gone when the tests are, however they end. For
// the main thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "redis/address.h"

namespace letterbox::test {

class RedisServer {
 public:
  enum class Keeps { nothing, everything };  // over a restart

  explicit RedisServer(Keeps keeps = Keeps::nothing);
  // Also on this address of loopback.
  RedisServer(std::string host, int port);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // A TCP port of all addresses of loopback that was free a moment ago.
  static int spare_port();

  // The one that most tests share.
  static RedisServer& shared();

  // Returns when it takes connections.
  void start();
  // At once, as by a crash.
  void stop();

  // Holds it as it is: connections stand, and nothing is answered.
  void freeze() const;
  void thaw() const;

  // With a patience that suits tests.
  RedisLogin login() const;
  // With so little that a test may wait for its end.
  RedisLogin impatient_login() const;

 private:
  bool takes_connections() const;

  const Keeps keeps_;
  const std::string host_;
  const int port_ = 0;  // 0: none
  const std::string folder_;
  pid_t process_ = -1;
};

}  // namespace letterbox::test
