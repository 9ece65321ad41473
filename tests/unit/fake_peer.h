// SPDX-License-Identifier: MIT
//
// nginx's end of a FastCGI connection whose request has been read and not yet answered.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "fastcgi/answer.h"
#include "fastcgi/connection.h"
#include "fastcgi/switchboard.h"
#include "tests/unit/fake_records.h"

namespace letterbox::test {

class FakePeer {
 public:
  FakePeer() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::runtime_error("no pair of sockets");
    }
    mine_.reset(ends[0]);
    connection_ = std::make_shared<Connection>(board_, loop_, Fd(ends[1]));
    connection_->begin(1, true);
  }
  // Destroys the answer that is owed, since it has nowhere to go.
  ~FakePeer() { connection_->close(); }
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  // The answer that is owed.
  Answer owed() { return Answer(connection_); }

  // Tells the worker that the peer has gone.
  void leave() { connection_->close(); }
  void retire() { connection_->retire(); }

  // Whether anything has come.
  bool answered() {
    std::array<char, 4096> piece{};
    ssize_t n = 0;
    while ((n = recv(mine_.get(), piece.data(), piece.size(), 0)) > 0) {
      received_.append(piece.data(), static_cast<size_t>(n));
    }
    return !received_.empty();
  }

  HttpAnswer answer() {
    if (!answered()) throw std::runtime_error("not answered");
    return parse_answer(received_);
  }

  // All records that have come.
  std::vector<Record> records() {
    answered();
    return parse_records(received_);
  }

 private:
  SystemClock clock_;
  Loop loop_{clock_};
  Log log_{"test", STDERR_FILENO, Log::Level::error};
  Switchboard board_{loop_, 0, 1, log_, [](const Request&, const Answer&) {}};
  Fd mine_;
  std::shared_ptr<Connection> connection_;
  std::string received_;
};

}  // namespace letterbox::test
