// SPDX-License-Identifier: MIT
//
// One blocking connection to a Redis, without pipelining: it writes a command, then reads the
// answer. For asking a server's Redis for its figures, and for the floor.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "fd.h"

namespace letterbox::bench {

class RedisLink {
 public:
  /// `address` is a path or, on loopback, a port. Not connected if nothing listens there.
  explicit RedisLink(const std::string& address);

  bool connected() const { return static_cast<bool>(fd_); }

  /// Throws Failure if the connection breaks, or if no answer comes for ten seconds.
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

/// Whether a Redis listens there, and has read its files.
bool redis_answers(const std::string& address);

/// The value of `name` in a text of INFO; 0 if it isn't there.
double info_number(std::string_view info, std::string_view name);

}  // namespace letterbox::bench
