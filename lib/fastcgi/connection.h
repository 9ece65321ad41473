// SPDX-License-Identifier: MIT
//
// One FastCGI connection from nginx, kept from request to request. It belongs to one loop, which
// reads requests and notices when the peer has gone. Any thread may write the answer.
//
//   idle ──readable──► busy (a worker, or the waiting room, owes the answer) ──answered──► idle
//                        │ (also while the answer is written in parts)
//     │                  └──readable: nginx closed, the client has gone──► closed
//     └──readable, but not a whole request──► slow (the slow reader has it) ──► busy
//
// The descriptor's registration stays the same while idle and while busy, so a parked poll costs no
// system call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/loop.h"
#include "base/sync.h"
#include "fastcgi/answer.h"

namespace letterbox {

class Switchboard;

class Connection final : public Loop::Watcher, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Switchboard& board, Loop& loop, Fd fd);

  // Any thread. Counts in `counts` (null: nowhere) the answer's status, or that the client has
  // left.
  void answer(const Response& response, StatusCounts* counts) EXCLUDES(mutex_);
  // The same in parts, in this order. append() returns how many bytes are then unsent.
  void begin_answer(const Response& response, StatusCounts* counts) EXCLUDES(mutex_);
  size_t append(std::string_view text) EXCLUDES(mutex_);
  void end_answer() EXCLUDES(mutex_);
  bool when_gone(std::weak_ptr<PeerListener> listener) EXCLUDES(mutex_);

  // The loop's thread.
  void on_ready(uint32_t events) override EXCLUDES(mutex_);
  void begin(uint16_t request_id, bool keep) EXCLUDES(mutex_);
  // Makes the peer close this connection: at once if it is idle, else with the next answer. No
  // request is lost, not even one that is just on its way.
  void retire() EXCLUDES(mutex_);
  void to_slow_reader() EXCLUDES(mutex_);
  // False: the loop can't watch the connection, and the caller must close it.
  [[nodiscard]] bool from_slow_reader() EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);
  // Closes the connection if nothing is being asked or answered on it and it is not so new that its
  // first request is about to come. Returns whether it was closed.
  bool close_idle() EXCLUDES(mutex_);
  // libfcgi closed the descriptor by itself (a protocol error).
  void disown() EXCLUDES(mutex_);

  int fd() const { return fd_number_; }

 private:
  enum class State { idle, slow, busy, closed };

  void write_more() EXCLUDES(mutex_);
  bool count(const Response& response, StatusCounts* counts) REQUIRES(mutex_);
  void finish(std::string records) REQUIRES(mutex_);
  void write(std::string records) REQUIRES(mutex_);
  void all_written() REQUIRES(mutex_);
  void close_locked() REQUIRES(mutex_);

  // Constant after construction.
  Switchboard& board_;
  Loop& loop_;
  const int fd_number_;
  const uint64_t since_ms_;  // steady

  Mutex mutex_;
  Fd fd_ GUARDED_BY(mutex_);
  State state_ GUARDED_BY(mutex_) = State::idle;
  uint16_t request_id_ GUARDED_BY(mutex_) = 0;  // of the last request; 0: there was none yet
  bool keep_ GUARDED_BY(mutex_) = true;
  bool retiring_ GUARDED_BY(mutex_) = false;
  std::string unsent_ GUARDED_BY(mutex_);
  std::weak_ptr<PeerListener> listener_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
