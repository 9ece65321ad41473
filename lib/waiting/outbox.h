// SPDX-License-Identifier: MIT
//
// What is to be written to a stream while somebody is writing to it already. Several workers may
// ring one stream at once, and nothing is written while the room's mutex is held: so one of them
// writes, and the others leave here, in order, what it is to write next. Under the room's mutex.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/cursor.h"
#include "model/error.h"
#include "waiting/ending.h"

namespace letterbox {

// A portion that owns its messages.
class OwnPortion {
 public:
  explicit OwnPortion(const Portion& portion);
  OwnPortion(OwnPortion&&) noexcept = default;
  OwnPortion& operator=(OwnPortion&&) noexcept = default;

  const Portion& portion() const { return portion_; }

 private:
  std::vector<std::string> bodies_;
  std::vector<Message> messages_;
  Portion portion_;
};

// A stream that was given as many messages ends, and its client comes back: so it acknowledges long
// before its mailbox is full of what it has already.
inline constexpr size_t kStreamMost = 500;

struct Outbox {
  using Entry = std::variant<OwnPortion, Ending, Error>;

  // Leaves something to whoever is writing; false: nobody is.
  template <class... Arguments>
  bool leave(Arguments&&... arguments) {
    if (writing) entries.emplace_back(std::forward<Arguments>(arguments)...);
    return writing;
  }

  bool opened = false;         // something was written, if only that the stream stands
  bool writing = false;        // somebody is at it
  std::vector<Entry> entries;  // which that one is to write as well
  size_t messages = 0;         // written in all
};

}  // namespace letterbox
