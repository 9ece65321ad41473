// SPDX-License-Identifier: MIT
//
// Why a run can't go on: a server that doesn't start, a system call that must not fail, the user's
// Ctrl-C. These are thrown, and caught only in main(); an answer of a server, good or bad,
// is a result and is never thrown.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace letterbox::bench {

class Failure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

/// With the text of errno.
Failure system_failure(std::string_view what);

/// From now on SIGINT, SIGTERM and SIGHUP make throw_if_interrupted throw.
void catch_interrupts();
void throw_if_interrupted();

}  // namespace letterbox::bench
