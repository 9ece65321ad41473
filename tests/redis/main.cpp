// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

#include "base/text.h"
#include "mailbox/keys.h"

int main(int argc, char** argv) {
  // As in the programs: if Redis goes away a write gives an error, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  // The form of names that they have in a cluster with that number of parts. With one part each
  // test is right in this form, too: all users are in it.
  if (const char* parts = std::getenv("LETTERBOX_TEST_PARTS")) {
    letterbox::set_key_names("", letterbox::parse_u64(parts).value());
  }
  return doctest::Context(argc, argv).run();
}
