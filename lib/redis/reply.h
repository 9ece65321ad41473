// SPDX-License-Identifier: MIT
//
// What Redis answered, as a view: valid only during the callback that gets it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

struct redisReply;

namespace letterbox {

class Reply {
 public:
  enum class Failure {
    none,
    away,     // no connection, no answer in time, or a Redis that can't serve now: try again later
    refused,  // an error reply: the command itself was wrong
  };

  explicit Reply(const redisReply* reply);
  static Reply away();

  Failure failure() const { return failure_; }
  bool ok() const { return failure_ == Failure::none; }
  // Redis said something, be it an error; the connection stands.
  bool came() const { return reply_ != nullptr; }
  // Of an error reply, its text.
  std::string_view error() const;
  // The error's first word is one of those by which Redis says: not here, not now.
  bool must_reconnect() const;
  bool no_script() const;

  bool is_nil() const;
  // Of a string or status reply; empty for any other.
  std::string_view text() const;
  // Of an integer reply, or a string of digits; 0 for any other.
  int64_t integer() const;
  // Of an array reply: its length (0 for any other) and elements. REQUIRES: i < size().
  size_t size() const;
  Reply operator[](size_t i) const;

 private:
  const redisReply* reply_;
  Failure failure_;
};

}  // namespace letterbox
