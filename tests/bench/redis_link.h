// SPDX-License-Identifier: MIT
//
// One blocking connection to a Redis, without pipelining: what is asked is written, then its answer
// is read. For asking a server's Redis how it is, and for the floor.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "fd.h"

namespace letterbox::bench {

class RedisLink {
 public:
  /// `address` is a path or, on loopback, a port. Not connected where nobody listens there.
  explicit RedisLink(const std::string& address);

  bool connected() const { return static_cast<bool>(fd_); }

  /// Throws Failure where the connection breaks, or no answer comes for ten seconds.
  void write(std::initializer_list<std::string_view> words);
  /// A reply's text; the elements of an array one a line; an error with its '-'.
  std::string read();
  std::string ask(std::initializer_list<std::string_view> words) {
    write(words);
    return read();
  }

 private:
  std::string read_line();
  void read_more();

  Fd fd_;
  std::string request_;
  std::string unread_;
};

/// Something listens there, and is no longer reading its files.
bool redis_answers(const std::string& address);

/// The value of `name` in what INFO says; 0 where it isn't there.
double info_number(std::string_view info, std::string_view name);

}  // namespace letterbox::bench
