// SPDX-License-Identifier: MIT
//
// The one answer that each request is owed: sent at once, or begun, appended to, and ended. An
// Answer is movable, and usable from any thread (one at a time) and long after the request was
// read. An Answer that is destroyed unsent answers 500 by itself, and one that was begun ends, so
// that no request can be forgotten.
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

// The content of an answer. `headers` are further header lines, each ended by CR LF.
struct Response {
  int status = 200;
  std::string body;
  std::string headers = {};
  std::string_view content_type = "application/json";
  bool without_body = false;  // to HEAD: the length of the body is sent, the body is not
};

// How many requests have ended with each status.
class StatusCounts {
 public:
  static constexpr int kFirst = 200;
  static constexpr int kLast = 599;
  // The client left before its answer, and nothing was sent. nginx logs the same number.
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

  // Sends the answer in one write that never blocks. If the client has gone nothing happens.
  // REQUIRES: not begun, not sent before.
  void send(Response response);

  // Sends the answer in parts, none of which blocks: the head with the first part of the body (no
  // Content-Length), more of the body, the end. REQUIRES: in this order, and begun once.
  void begin(Response response);
  // Returns how many bytes wait for the peer to take them; 0 also if the client has gone.
  size_t append(std::string_view text);
  void end();
  bool begun() const { return begun_; }

  // Counts the status in `counts` when the answer is sent, or kClientLeft if the client has gone.
  void count_in(std::shared_ptr<StatusCounts> counts) { counts_ = std::move(counts); }

  // For HEAD: the headers are those of GET, and the body is not sent.
  void leave_out_body() { without_body_ = true; }

  // Adds header lines to the answer, whatever it will be. Each line is ended by CR LF.
  void carry(std::shared_ptr<const std::string> headers) { headers_ = std::move(headers); }

  // From now on `listener` is told when the client goes away, and when it has taken all bytes that
  // waited. False: the client has already gone.
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
