// SPDX-License-Identifier: MIT
//
// What is due in the waiting room, and when. Each entry is a poll or a client, and of one kind. The
// room uses it, under its mutex. Times are steady, in ms.
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
  // What happens when an entry is due. The first four kinds are for polls, the others for clients.
  enum class Kind {
    deadline,  // a parked poll is answered that its time is up
    turn,      // a queued poll has waited too long for its read
    late,      // a superseded poll is answered
    slowed,    // a poll that was held back reads
    debt,      // what a client's line in the store lacks is written
    lapse,     // a client that has not come back is noted as away
    rest,      // a client that has not come back is forgotten
  };
  static constexpr size_t kKinds = 7;

  struct Entry {
    Kind kind;
    std::shared_ptr<Poll> poll;  // null: the entry is a client
    Client* client = nullptr;
  };

 private:
  using Line = std::multimap<uint64_t, Entry>;

 public:
  // Where an entry stands. The entry's poll or client holds it. A poll has one place at most.
  using Place = std::optional<Line::iterator>;

  // Adds an entry for a poll or a client. REQUIRES: `place` is empty.
  void add(Place& place, uint64_t due_ms, Kind kind, const std::shared_ptr<Poll>& poll) {
    add(place, due_ms, {kind, poll, nullptr});
  }
  void add(Place& place, uint64_t due_ms, Kind kind, Client& client) {
    add(place, due_ms, {kind, nullptr, &client});
  }
  // Removes the entry and empties `place`. An empty `place` stays as it is.
  void remove(Place& place);

  // due(): the earliest entry that is due by `now_ms`. first(): the earliest entry of a kind, due
  // or not. An entry stays until it is removed. Null: there is none.
  const Entry* due(uint64_t now_ms) const;
  const Entry* first(Kind kind) const;

  std::optional<uint64_t> next_due() const;
  size_t count(Kind kind) const { return line(kind).size(); }

 private:
  void add(Place& place, uint64_t due_ms, Entry entry);
  const Line& line(Kind kind) const { return lines_.at(static_cast<size_t>(kind)); }
  const Line* earliest() const;

  // One line a kind: most new entries are the last of their kind, and then cost no search.
  std::array<Line, kKinds> lines_;
};

}  // namespace letterbox
