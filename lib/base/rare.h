// SPDX-License-Identifier: MIT
//
// Branches that are seldom taken, each named by a sentence, so that tests can be held to have taken
// them all:
//
//     if (reply.no_script()) {
//       rare<"Redis does not know a script any more">();
//
// If the environment names a file in LETTERBOX_RARE, a process writes each sentence there as it is
// reached first; scripts/test lists those that no test has reached. Else, as in production, it
// costs a look at a flag. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string_view>

namespace letterbox {

// A text as a template's argument.
template <size_t kSize>
struct Sentence {
  // NOLINTNEXTLINE(google-explicit-constructor): so that a literal is one
  constexpr Sentence(const char (&literal)[kSize]) { std::copy_n(literal, kSize, text); }
  constexpr std::string_view view() const { return {text, kSize - 1}; }

  char text[kSize]{};
};

void note_rare(std::string_view sentence);

template <Sentence sentence>
inline void rare() {
  static std::atomic<bool> reached{false};
  if (!reached.exchange(true, std::memory_order_relaxed)) note_rare(sentence.view());
}

}  // namespace letterbox
