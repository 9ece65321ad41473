// SPDX-License-Identifier: MIT
#include "fastcgi/acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "base/fd.h"
#include "base/rare.h"

namespace letterbox {

namespace {

constexpr int kAcceptsATurn = 128;
constexpr uint64_t kPauseMs = 100;

}  // namespace

Acceptor::Acceptor(Loop& loop, int listen_fd, Switchboard& own, std::vector<Switchboard*> all,
                   Log& log)
    : loop_(loop), listen_fd_(listen_fd), own_(own), all_(std::move(all)), log_(log) {}

void Acceptor::start() {
  if (stopped_ || std::exchange(started_, true)) return;
  listen();
}

void Acceptor::on_ready(uint32_t) {
  bool stuck = true;  // this turn has brought only errors, so the next one would too
  for (int i = 0; i < kAcceptsATurn; ++i) {
    switch (accept_one()) {
      case Take::taken:
        stuck = false;
        break;
      case Take::nobody:
        return;
      case Take::skipped:
        break;
      case Take::full:
        // nginx' workers keep idle connections, each for itself. Without this the request of
        // another worker would wait for a minute until they are closed.
        if (own_.close_an_idle_one()) break;
        rare<"all connections are taken, and none of them is idle">();
        if (!std::exchange(full_, true)) {
          log_.warn("no room for another connection beside ", own_.open_connections(),
                    ", until some close");
        }
        pause();
        return;
    }
  }
  if (stuck) {
    rare<"accept brings nothing but errors">();
    pause();
  }
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  if (started_) loop_.unwatch(listen_fd_, this);
  int skipped = 0;
  while (skipped < kAcceptsATurn) {
    const Take take = accept_one();
    if (take == Take::nobody || take == Take::full) return;
    if (take == Take::skipped) ++skipped;
  }
}

Acceptor::Take Acceptor::accept_one() {
  Switchboard& board = emptiest();
  if (board.full()) return Take::full;
  Fd fd(accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return failed(errno);
  board.give(std::move(fd));
  full_ = false;
  return Take::taken;
}

Acceptor::Take Acceptor::failed(int error) {
  switch (error) {
    case EAGAIN:
      return Take::nobody;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Take::full;
    default:
      return Take::skipped;
  }
}

// The switchboard with the fewest connections; of equal ones its own, since another worker would
// have to be woken.
Switchboard& Acceptor::emptiest() const {
  assert(std::find(all_.begin(), all_.end(), &own_) != all_.end());
  Switchboard* best = &own_;
  for (Switchboard* board : all_) {
    if (board->open_connections() < best->open_connections()) best = board;
  }
  return *best;
}

void Acceptor::listen() {
  if (!loop_.watch(listen_fd_, EPOLLIN | EPOLLEXCLUSIVE, this)) pause();
}

// Accepts nothing for kPauseMs. Connections wait in the backlog meanwhile, and this thread does not
// spin on a socket that stays readable.
void Acceptor::pause() {
  loop_.unwatch(listen_fd_, this);
  loop_.at(loop_.clock().steady_ms() + kPauseMs, [this] {
    if (!stopped_) listen();
  });
}

}  // namespace letterbox
