// SPDX-License-Identifier: MIT
//
// model/cursor.h: what a client sends as `after`.
#include "model/cursor.h"

#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {

void try_one(std::string_view input) {
  const auto cursor = Cursor::parse(input);
  if (!cursor) {
    must(input != "0", "the beginning is a cursor");
    return;
  }
  constexpr uint64_t kAboveAll = 1'000'000'000'000'000;
  must(cursor->epoch < kAboveAll && cursor->seq < kAboveAll, "a part has 15 digits at most");
  must(static_cast<uint64_t>(static_cast<double>(cursor->epoch)) == cursor->epoch &&
           static_cast<uint64_t>(static_cast<double>(cursor->seq)) == cursor->seq,
       "the doubles of Lua hold both parts");
  must(cursor->text() == (input == "0-0" ? "0" : input), "a cursor is printed as it was read");
  must(Cursor::parse(cursor->text()) == cursor, "and read as it was printed");
  const Cursor next{cursor->epoch, cursor->seq + 1};
  must(*cursor < next && *cursor < Cursor{cursor->epoch + 1, 0}, "cursors are in order");
}

}  // namespace letterbox::fuzz
