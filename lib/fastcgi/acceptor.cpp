// SPDX-License-Identifier: MIT
#include "fastcgi/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/fd.h"

namespace letterbox {

namespace {

constexpr int kAcceptsATurn = 128;
constexpr uint64_t kPauseMs = 100;

}  // namespace

Acceptor::Acceptor(Loop& loop, int listen_fd, Switchboard& own, std::vector<Switchboard*> all,
                   Log& log)
    : loop_(loop), listen_fd_(listen_fd), own_(own), all_(std::move(all)), log_(log) {
  listen();
}

void Acceptor::on_ready(uint32_t) {
  bool stuck = true;  // nothing but errors in this turn: the next one would bring the same
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
        // Each of nginx's workers keeps some connections for itself, and what another one asks
        // would wait behind them for a minute.
        if (own_.close_an_idle_one()) break;
        if (!std::exchange(full_, true)) {
          log_.warn("no room for another connection beside ", own_.open_connections(),
                    ", until some close");
        }
        pause();
        return;
    }
  }
  if (stuck) pause();
}

void Acceptor::stop() {
  if (std::exchange(stopped_, true)) return;
  loop_.unwatch(listen_fd_, this);
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

// Its own where that is one of them: another worker has to be woken.
Switchboard& Acceptor::emptiest() const {
  Switchboard* best = &own_;
  for (Switchboard* board : all_) {
    if (board->open_connections() < best->open_connections()) best = board;
  }
  return *best;
}

void Acceptor::listen() {
  if (!loop_.watch(listen_fd_, EPOLLIN | EPOLLEXCLUSIVE, this)) pause();
}

// Connections wait in the backlog meanwhile, and this thread does not spin on a socket that stays
// readable.
void Acceptor::pause() {
  loop_.unwatch(listen_fd_, this);
  loop_.at(loop_.clock().steady_ms() + kPauseMs, [this] {
    if (!stopped_) listen();
  });
}

}  // namespace letterbox
