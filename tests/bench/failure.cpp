// SPDX-License-Identifier: MIT
#include "failure.h"

#include <cerrno>
#include <csignal>
#include <cstring>

namespace letterbox::bench {
namespace {

volatile sig_atomic_t interrupted = 0;

}  // namespace

Failure system_failure(std::string_view what) {
  const int error = errno;
  return Failure(std::string(what) + ": " + std::strerror(error));
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

void throw_if_interrupted() {
  if (interrupted != 0) throw Interrupted();
}

}  // namespace letterbox::bench
