// SPDX-License-Identifier: MIT
//
// Keeps a text that is said a thousand times a second from being written a thousand times: it is
// written once, and what follows within kWindowMs is counted. Of Log. Not for several threads at
// once: its owner has the lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace letterbox {

class Repeats {
 public:
  static constexpr uint64_t kWindowMs = 10'000;
  // So many texts are told apart at a time. Beyond that the oldest counts as new when it comes
  // again.
  static constexpr size_t kTexts = 32;

  // That a text was said and, once in a while, not written.
  struct Count {
    std::string text;
    uint64_t more = 0;
    uint64_t last_ms = 0;  // when it was said last
  };

  // Whether the text is to be written now. `now_ms` is the wall clock's; it may jump.
  bool is_new(std::string_view text, uint64_t now_ms);

  // The counts whose window is over by then, to be written once. A text that goes on being said has
  // a new window, in which it is counted further.
  std::vector<Count> due(uint64_t now_ms);
  // All counts there are.
  std::vector<Count> rest();

 private:
  struct Said {
    Count count;
    uint64_t since_ms;
  };

  std::vector<Said> said_;  // the oldest window first
  std::vector<Count> pushed_out_;
};

}  // namespace letterbox
