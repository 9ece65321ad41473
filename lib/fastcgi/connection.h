// SPDX-License-Identifier: MIT
//
// One FastCGI connection from nginx, kept from request to request. It belongs to one loop, which
// reads requests and notices that the peer has gone; the answer may be written by any thread.
//
//   idle ──readable──► busy (a worker, or the waiting room, owes the answer) ──answered──► idle
//                        │ (also while the answer is written in parts)
//     │                  └──readable: nginx closed, the client has gone──► closed
//     └──readable, but not a whole request──► slow (the slow reader has it) ──► busy
//
// While idle or busy the descriptor stays registered as it is: a parked poll costs no system call.
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

  // Any thread. Counts the answer in `counts` (null: nowhere), or that the client has left.
  void answer(const Response& response, StatusCounts* counts) EXCLUDES(mutex_);
  // The same in parts, in this order. append(): how many bytes are unsent then.
  void begin_answer(const Response& response, StatusCounts* counts) EXCLUDES(mutex_);
  size_t append(std::string_view text) EXCLUDES(mutex_);
  void end_answer() EXCLUDES(mutex_);
  bool when_gone(std::weak_ptr<PeerListener> listener) EXCLUDES(mutex_);

  // The loop's thread.
  void on_ready(uint32_t events) override EXCLUDES(mutex_);
  void begin(uint16_t request_id, bool keep) EXCLUDES(mutex_);
  // Has the peer close this connection: at once where it is idle, else with its next answer. No
  // request is lost by it, also none that is just on its way.
  void retire() EXCLUDES(mutex_);
  void to_slow_reader() EXCLUDES(mutex_);
  // False if it can't be watched any more: it is to be closed then.
  [[nodiscard]] bool from_slow_reader() EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);
  // Closes it only where nothing is being asked or answered, nor just about to be; whether it did.
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
  uint16_t request_id_ GUARDED_BY(mutex_) = 0;  // 0: there was none yet
  bool keep_ GUARDED_BY(mutex_) = true;
  bool retiring_ GUARDED_BY(mutex_) = false;
  std::string unsent_ GUARDED_BY(mutex_);
  std::weak_ptr<PeerListener> listener_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
