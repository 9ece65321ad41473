// SPDX-License-Identifier: MIT
//
// Tells the presence store which clients poll, with far fewer writes than polls. A worker has one
// book and shows it every poll; for the thread of its loop alone.
//
// A known client is written again only if its note is out of date: the client polls from another
// address or agent, was noted five or more seconds ago, or is online for longer than was noted. To
// make the last case rare, the book notes a little more time than is asked for: a client may be
// shown as online for up to five seconds too long (or a sixth of its time, if that is less), and
// never too short.
//
// A note that the store did not take is written again. So are all notes after an absence of the
// store, which may have lost them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/presence.h"

namespace letterbox {

class PresenceBook {
 public:
  struct Figures {
    Counter notes;   // clients written to the store
    Counter writes;  // the writes, each with one or several notes
  };

  // A client that polls is noted again when its note is this old.
  static constexpr uint64_t kGridMs = 5000;

  // At most `clients_most` clients are kept a user. REQUIRES: the loop has ended before the
  // destructor runs.
  PresenceBook(Loop& loop, PresenceStore& store, size_t clients_most);

  // A client has polled, and is online until `until_ms` (wall clock) unless it polls again. Address
  // and agent may be any bytes.
  void seen(std::string_view user, std::string_view client, std::string_view address,
            std::string_view agent, uint64_t until_ms);

  // The number of users in the book.
  size_t size() const { return users_.size(); }
  // Any thread.
  const Figures& figures() const { return figures_; }

 private:
  struct Known {
    PresentClient client;
    bool waits = false;  // to be written
  };
  using Clients = std::vector<Known>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Users = std::unordered_map<std::string, Clients, Hash, std::equal_to<>>;
  using Batch = std::vector<PresenceStore::Note>;

  Known& client_of(Clients& clients, std::string_view name) const;
  void write_later(const std::string& user, Clients& clients, Known& known);
  void wake(uint64_t in_ms);
  void write();
  Batch take_batch();
  void offer_again(const Batch& batch);
  void look_after();
  void forget_gone();

  Loop& loop_;
  PresenceStore& store_;
  const size_t clients_most_;

  Users users_;
  std::deque<std::string> waiting_;  // users with clients to be written, each once
  bool writing_ = false;             // a batch is on its way
  uint64_t absences_;                // the store's count at the last look
  std::optional<Loop::Timer> write_timer_;
  std::optional<Loop::Timer> look_timer_;
  Figures figures_;
};

}  // namespace letterbox
