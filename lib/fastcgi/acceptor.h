// SPDX-License-Identifier: MIT
//
// Accepts nginx's connections from the listening socket, and gives each to the switchboard that
// holds the fewest. nginx keeps a connection for hours, so a worker that got most of them would do
// most of the work; and the kernel wakes the same idle worker every time (EPOLLEXCLUSIVE is not
// fair).
//
// Each worker has one acceptor, all on the same listening socket. Everything runs on the worker's
// loop.
#pragma once

#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "fastcgi/switchboard.h"

namespace letterbox {

class Acceptor final : public Loop::Watcher {
 public:
  // `listen_fd` is a listening socket, non-blocking; it is not closed here. `own` is the
  // switchboard on the same loop, `all` are those of all workers, `own` among them. REQUIRES: all
  // of these outlive the acceptor.
  Acceptor(Loop& loop, int listen_fd, Switchboard& own, std::vector<Switchboard*> all, Log& log);

  void on_ready(uint32_t events) override;

  // The loop's thread: accepts connections from now on. Until then they wait in the backlog.
  void start();
  // The loop's thread: accepts the connections that wait in the backlog now, and none after them.
  void stop();

  // The outcome of an attempt to accept a connection.
  enum class Take {
    taken,
    nobody,   // no connection waits
    skipped,  // a connection, or the network, was broken: others may wait
    full,     // out of descriptors, of memory, or at the bound of the switchboards
  };
  // The outcome for accept()'s errno.
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
  bool started_ = false;
  bool stopped_ = false;
  bool full_ = false;  // no room: that was logged, and no connection accepted since
};

}  // namespace letterbox
