// SPDX-License-Identifier: MIT
//
// Keeps the store told which clients poll, at far less than a write a poll. A worker has one, and
// shows it every poll; for the thread of its loop alone.
//
// A client that is known is written again only where what the store has of it would be too wrong:
// it polls from elsewhere, was noted more than five seconds ago, or is online for longer than was
// noted. So that the last is rare, a little more is noted than is asked for: a client may be shown
// as online for up to five seconds too long (a sixth of its time, where that is shorter), never
// for too short.
//
// What the store did not take is offered again; what it may have forgotten in an absence, too.
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
    Counter notes;   // of clients, that the store has taken
    Counter writes;  // that carried them
  };

  // How old the time of a client's last poll may be in the store.
  static constexpr uint64_t kGridMs = 5000;

  // REQUIRES: the loop has ended before this does. A user has `clients_most` clients here.
  PresenceBook(Loop& loop, PresenceStore& store, size_t clients_most);

  // A client has polled, and is online until then unless it polls again (wall clock). Address and
  // agent are taken as they come, any bytes.
  void seen(std::string_view user, std::string_view client, std::string_view address,
            std::string_view agent, uint64_t until_ms);

  // Users remembered.
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
  std::deque<std::string> waiting_;  // users of whom something is to be written, each once
  bool writing_ = false;             // a batch is on its way
  uint64_t absences_;                // of the store, as it was when all was written
  std::optional<Loop::Timer> write_timer_;
  std::optional<Loop::Timer> look_timer_;
  Figures figures_;
};

}  // namespace letterbox
