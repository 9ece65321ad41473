// SPDX-License-Identifier: MIT
//
// What is due in the waiting room, and when: one queue of polls and clients, each entry of a kind.
// The room uses it, under its mutex. Times are steady, in ms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace letterbox {

struct Client;
struct Poll;

class Schedule {
 public:
  // What happens when an entry is due. The first four are of polls, the others of clients.
  enum class Kind {
    deadline,  // a parked poll is answered that its time is up
    turn,      // a queued poll has waited for too long to be read for
    late,      // a superseded poll is answered
    slowed,    // a poll that asks again and again is read for
    debt,      // what a client's line in the store lacks is written
    lapse,     // a client that has not come back is noted as away
    rest,      // ... and is forgotten
  };
  static constexpr size_t kKinds = 7;

  struct Entry {
    Kind kind;
    std::shared_ptr<Poll> poll;  // or
    Client* client = nullptr;
  };

 private:
  using Line = std::multimap<uint64_t, Entry>;

 public:
  // Where something stands. It is kept by what stands there: a poll stands in one place at most.
  using Place = std::optional<Line::iterator>;

  // A poll's or a client's. REQUIRES: `place` is empty.
  void add(Place& place, uint64_t due_ms, Kind kind, const std::shared_ptr<Poll>& poll) {
    add(place, due_ms, {kind, poll, nullptr});
  }
  void add(Place& place, uint64_t due_ms, Kind kind, Client& client) {
    add(place, due_ms, {kind, nullptr, &client});
  }
  // Empties `place`, if it is not yet.
  void remove(Place& place);

  // What is due by then, the earliest first; of a kind, at any time. It stays until it is removed.
  // Null: nothing.
  const Entry* due(uint64_t now_ms) const;
  const Entry* first(Kind kind) const;

  std::optional<uint64_t> next_due() const;
  size_t count(Kind kind) const { return line(kind).size(); }

 private:
  void add(Place& place, uint64_t due_ms, Entry entry);
  const Line& line(Kind kind) const { return lines_.at(static_cast<size_t>(kind)); }
  const Line* earliest() const;

  // One a kind: what is added to it is mostly due last, and then costs no search.
  std::array<Line, kKinds> lines_;
};

}  // namespace letterbox
