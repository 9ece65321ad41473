// SPDX-License-Identifier: MIT
//
// Keeps a text that repeats from being written each time: it is written once, and its repeats
// within kWindowMs are counted. Used by Log. Not thread-safe: the owner holds a lock.
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
  // The most texts that are told apart at a time. Beyond that the oldest text is forgotten, and
  // counts as new when it comes again.
  static constexpr size_t kTexts = 32;

  // How often a text came again without being written.
  struct Count {
    std::string text;
    uint64_t more = 0;
    uint64_t last_ms = 0;  // when the text came last
  };

  // Whether the text must be written now. `now_ms` is the wall clock's; it may jump.
  bool is_new(std::string_view text, uint64_t now_ms);

  // The counts whose window is over at `now_ms`, to be written once. A text that has come again
  // gets a new window, in which it is counted again.
  std::vector<Count> due(uint64_t now_ms);
  // All counts that are left.
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
