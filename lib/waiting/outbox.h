// SPDX-License-Identifier: MIT
//
// What must still be written to a stream that a worker is writing to. Several workers may ring one
// stream at once, and nothing is written while the room's mutex is held. So one worker writes, and
// the others leave here, in order, what it must write next. Under the room's mutex.
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

struct Outbox {
  using Entry = std::variant<OwnPortion, Ending, Error>;

  // Leaves an entry to the worker that is writing; false: no worker is.
  template <class... Arguments>
  bool leave(Arguments&&... arguments) {
    if (writing) entries.emplace_back(std::forward<Arguments>(arguments)...);
    return writing;
  }

  bool opened = false;         // something was written, at least that the stream is open
  bool writing = false;        // a worker is writing
  std::vector<Entry> entries;  // what that worker must write next
  size_t messages = 0;         // written to the stream in all
};

}  // namespace letterbox
