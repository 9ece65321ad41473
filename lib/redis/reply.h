// SPDX-License-Identifier: MIT
//
// A view of what Redis answered: valid only during the callback that gets it.
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
  // A reply came, possibly an error reply; the connection is intact.
  bool came() const { return reply_ != nullptr; }
  // The text of an error reply, or "no connection"; empty for any other reply.
  std::string_view error() const;
  // The error's first word says that this server is not the master, or not yet ready: the
  // connection must be dropped and made again.
  bool must_reconnect() const;
  bool no_script() const;

  bool is_nil() const;
  // The text of a string or status reply; empty for any other.
  std::string_view text() const;
  // The number of an integer reply, or of a string of digits; 0 for any other.
  int64_t integer() const;
  // The same, of what is never negative.
  uint64_t number() const { return static_cast<uint64_t>(integer()); }
  // The length of an array reply (0 for any other), and its elements. REQUIRES: i < size().
  size_t size() const;
  bool is_empty_array() const;
  Reply operator[](size_t i) const;

 private:
  const redisReply* reply_;
  Failure failure_;
};

}  // namespace letterbox
