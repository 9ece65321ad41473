// SPDX-License-Identifier: MIT
//
// The one answer a request is owed: sent at once, or begun, appended to, and ended. Movable, usable
// from any thread (one at a time) and long after the request was read; one that is dropped unsent
// answers 500 by itself, and one that was begun ends, so that no request can be forgotten.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/metrics.h"
#include "base/peer_listener.h"

namespace letterbox {

class Connection;

// What goes back. `headers` are further header lines, each ended by CR LF.
struct Response {
  int status = 200;
  std::string body;
  std::string headers = {};
  std::string_view content_type = "application/json";
  bool without_body = false;  // its length is told, and that is all: it answers HEAD
};

// How many requests have ended by each status.
class StatusCounts {
 public:
  static constexpr int kFirst = 200;
  static constexpr int kLast = 599;
  // The client left before its answer: nothing was sent. nginx logs the same number.
  static constexpr int kClientLeft = 499;

  // REQUIRES: kFirst <= status <= kLast.
  Counter& of(int status) { return counts_.at(static_cast<size_t>(status - kFirst)); }
  const Counter& of(int status) const { return counts_.at(static_cast<size_t>(status - kFirst)); }

 private:
  std::array<Counter, kLast - kFirst + 1> counts_;
};

class Answer {
 public:
  Answer() = default;
  explicit Answer(std::shared_ptr<Connection> connection);
  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&& other) noexcept;
  ~Answer();

  // Sends it, in one write that never blocks. Where the client is gone nothing happens.
  // REQUIRES: not sent before.
  void send(Response response);

  // In parts, none of which blocks: the head with the first of the body (no Content-Length), more
  // of the body, the end. REQUIRES: in this order, and begun once.
  void begin(Response response);
  // How many bytes wait for the peer to take them; 0 also where the client is gone.
  size_t append(std::string_view text);
  void end();
  bool begun() const { return begun_; }

  // Has its status counted as it is sent, or kClientLeft if it can't be.
  void count_in(std::shared_ptr<StatusCounts> counts) { counts_ = std::move(counts); }

  // It answers HEAD: the headers are those of GET, and no body goes with them.
  void leave_out_body() { without_body_ = true; }

  // Header lines that go with it whatever it will be, each ended by CR LF.
  void carry(std::shared_ptr<const std::string> headers) { headers_ = std::move(headers); }

  // Asks to be told when the client goes away, or has taken all that waited; false where it has
  // already gone.
  bool when_gone(std::weak_ptr<PeerListener> listener);

  explicit operator bool() const { return connection_ != nullptr; }

 private:
  void send_forgotten() noexcept;

  std::shared_ptr<Connection> connection_;
  std::shared_ptr<StatusCounts> counts_;
  std::shared_ptr<const std::string> headers_;
  bool without_body_ = false;
  bool begun_ = false;
};

}  // namespace letterbox
