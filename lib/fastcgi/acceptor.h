// SPDX-License-Identifier: MIT
//
// Takes nginx's connections from the listening socket, and gives each to the switchboard that holds
// the fewest. nginx keeps a connection for hours: a worker that got most of them would do most of
// the work, and the kernel wakes the same idle worker every time (EPOLLEXCLUSIVE is not fair).
//
// One acceptor a worker, all on the same listening socket. Everything runs on the worker's loop.
#pragma once

#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "fastcgi/switchboard.h"

namespace letterbox {

class Acceptor final : public Loop::Watcher {
 public:
  // `listen_fd` is a listening socket, non-blocking; it is not closed here. `own` is the
  // switchboard on the same loop, `all` are those of all workers, `own` among them. All must
  // outlive this.
  Acceptor(Loop& loop, int listen_fd, Switchboard& own, std::vector<Switchboard*> all, Log& log);

  void on_ready(uint32_t events) override;

  // The loop's thread: takes in those who wait in the backlog by now, and nobody after them.
  void stop();

  // What an attempt to accept has come to.
  enum class Take {
    taken,
    nobody,   // nobody waits
    skipped,  // a connection, or the network, was broken: there may be others
    full,     // out of descriptors or memory
  };
  // By accept()'s errno.
  static Take failed(int error);

 private:
  Take accept_one();
  Switchboard& emptiest() const;
  void listen();
  void pause();

  // Constant after construction.
  Loop& loop_;
  const int listen_fd_;
  Switchboard& own_;
  const std::vector<Switchboard*> all_;
  Log& log_;

  // The loop's thread only.
  bool stopped_ = false;
  bool full_ = false;  // it was, and that was logged
};

}  // namespace letterbox
