// SPDX-License-Identifier: MIT
#include "fastcgi/connection.h"

#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "base/rare.h"
#include "fastcgi/records.h"
#include "fastcgi/switchboard.h"

namespace letterbox {

namespace {

constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
// A connection that is newer than this is about to bring its first request.
constexpr uint64_t kJustConnectedMs = 1000;

}  // namespace

Connection::Connection(Switchboard& board, Loop& loop, Fd fd)
    : board_(board),
      loop_(loop),
      fd_number_(fd.get()),
      since_ms_(loop.clock().steady_ms()),
      fd_(std::move(fd)) {}

void Connection::on_ready(uint32_t events) {
  const auto self = shared_from_this();
  if (events & EPOLLOUT) write_more();
  if (!(events & ~static_cast<uint32_t>(EPOLLOUT))) return;

  State state;
  std::shared_ptr<PeerListener> listener;
  {
    Lock lock(mutex_);
    state = state_;
    // The client that is owed an answer has gone. (nginx never sends a second request before the
    // first is answered; a peer that does is treated alike.)
    if (state == State::busy) {
      listener = listener_.lock();
      close_locked();
    }
  }
  if (state == State::idle) {
    board_.read_request(self);
  } else if (state == State::busy) {
    board_.forget(self);
    if (listener) listener->gone();
  }
}

void Connection::begin(uint16_t request_id, bool keep) {
  Lock lock(mutex_);
  if (state_ == State::closed) return;
  assert(state_ == State::idle);
  state_ = State::busy;
  request_id_ = request_id;
  keep_ = keep;
  listener_.reset();
}

bool Connection::when_gone(std::weak_ptr<PeerListener> listener) {
  Lock lock(mutex_);
  if (state_ != State::busy) return false;
  listener_ = std::move(listener);
  return true;
}

void Connection::answer(const Response& response, StatusCounts* counts) {
  Lock lock(mutex_);
  if (count(response, counts)) finish(answer_records(request_id_, response));
}

void Connection::begin_answer(const Response& response, StatusCounts* counts) {
  Lock lock(mutex_);
  if (count(response, counts)) write(begin_records(request_id_, response));
}

size_t Connection::append(std::string_view text) {
  Lock lock(mutex_);
  if (state_ != State::busy) return 0;
  if (!text.empty()) write(more_records(request_id_, text));
  return unsent_.size();
}

void Connection::end_answer() {
  Lock lock(mutex_);
  if (state_ == State::busy) finish(end_records(request_id_));
}

// False: the client has left.
bool Connection::count(const Response& response, StatusCounts* counts) {
  const bool here = state_ == State::busy;
  // Counted before the write, so that a client that has its answer finds it in the figures.
  if (counts != nullptr) counts->of(here ? response.status : StatusCounts::kClientLeft).add();
  return here;
}

// Writes the last part of an answer.
void Connection::finish(std::string records) {
  assert(state_ == State::busy);
  // Idle before the write: nginx may send its next request the moment it has read the answer, and
  // the loop must not take that for a client that went away. The lock keeps the loop out until
  // then.
  state_ = State::idle;
  listener_.reset();
  board_.exchange_ended();
  if (retiring_) records += farewell_record(request_id_);
  write(std::move(records));
}

void Connection::retire() {
  Lock lock(mutex_);
  if (retiring_) return;
  retiring_ = true;
  if (state_ == State::idle && request_id_ != 0) write(farewell_record(request_id_));
}

void Connection::write(std::string records) {
  assert(fd_ && !records.empty());
  if (!unsent_.empty()) {
    unsent_ += records;
    return;
  }
  const ssize_t sent = send(fd_.get(), records.data(), records.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(records.size())) return all_written();
  if (sent < 0 && errno != EAGAIN) return;  // broken: the loop is told by epoll, and closes
  rare<"a peer does not take all of an answer at once">();
  unsent_.assign(records, static_cast<size_t>(sent < 0 ? 0 : sent));
  loop_.rearm(fd_.get(), kReading | EPOLLOUT, this);
}

void Connection::write_more() {
  std::shared_ptr<PeerListener> listener;
  {
    Lock lock(mutex_);
    if (state_ == State::closed || unsent_.empty()) return;
    const ssize_t sent =
        send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return;
    assert(static_cast<size_t>(sent) <= unsent_.size());
    unsent_.erase(0, static_cast<size_t>(sent));
    if (!unsent_.empty()) return;
    unsent_.shrink_to_fit();
    loop_.rearm(fd_.get(), kReading, this);
    all_written();
    listener = listener_.lock();
  }
  if (listener) listener->took_all();
}

// Tells a peer that does not keep the connection that its answer is whole.
void Connection::all_written() {
  assert(unsent_.empty());
  if (!keep_ && state_ == State::idle) shutdown(fd_.get(), SHUT_WR);
}

void Connection::to_slow_reader() {
  Lock lock(mutex_);
  assert(state_ == State::idle);
  state_ = State::slow;
  loop_.unwatch(fd_.get(), this);
}

bool Connection::from_slow_reader() {
  Lock lock(mutex_);
  if (state_ == State::closed) return false;

  assert(state_ == State::slow);
  state_ = State::idle;
  return loop_.watch(fd_.get(), kReading, this);
}

void Connection::close() {
  Lock lock(mutex_);
  if (state_ != State::closed) close_locked();
}

bool Connection::close_idle() {
  Lock lock(mutex_);
  const bool new_here =
      request_id_ == 0 && loop_.clock().steady_ms() < since_ms_ + kJustConnectedMs;
  char next = 0;
  const bool idle = !new_here && state_ == State::idle && unsent_.empty() &&
                    recv(fd_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  if (idle) close_locked();
  return idle;
}

void Connection::close_locked() {
  assert(state_ != State::closed && fd_);
  if (state_ == State::busy) board_.exchange_ended();
  if (state_ != State::slow) loop_.unwatch(fd_.get(), this);
  state_ = State::closed;
  listener_.reset();
  unsent_.clear();
  fd_.reset();
}

void Connection::disown() {
  Lock lock(mutex_);
  fd_.release();
  state_ = State::closed;
}

}  // namespace letterbox
