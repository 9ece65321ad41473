// SPDX-License-Identifier: MIT
//
// A redis-server for the tests alone: on a unix socket in a folder of its own, and on a TCP port
// only if a test asks for it. Server and folder are gone when the tests are, however they end. For
// the main thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "redis/address.h"

namespace letterbox::test {

class RedisServer {
 public:
  enum class Keeps { nothing, everything };  // over a restart
  // Of a cluster: its port on 127.0.0.1, and the one at which other nodes speak to it.
  struct Node {
    int port;
    int bus_port;
  };

  explicit RedisServer(Keeps keeps = Keeps::nothing);
  // Also on this address of loopback.
  RedisServer(std::string host, int port);
  // Also a node of a cluster, in which it is alone at first.
  explicit RedisServer(Node node);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // A TCP port that was free on all addresses of loopback a moment ago.
  static int spare_port();

  // The server that most tests share.
  static RedisServer& shared();

  // Returns once it takes connections.
  void start();
  // At once, as by a crash.
  void stop();

  // Stops the process: connections stay open, and nothing is answered.
  void freeze() const;
  void thaw() const;

  // With a patience that suits tests.
  RedisLogin login() const;
  // With so little patience that a test may wait for its end.
  RedisLogin impatient_login() const;

 private:
  bool takes_connections() const;

  const Keeps keeps_;
  const std::string host_;
  const int port_ = 0;      // 0: none
  const int bus_port_ = 0;  // 0: it is no node of a cluster
  const std::string folder_;
  pid_t process_ = -1;
};

}  // namespace letterbox::test
