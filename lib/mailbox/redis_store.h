// SPDX-License-Identifier: MIT
//
// Mailboxes in Redis: KEYS.md says which keys, the .lua files which steps. For one worker's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "mailbox/store.h"
#include "model/message.h"
#include "redis/connection.h"

namespace letterbox {

struct MailboxLimits {
  size_t messages_kept = 1000;
  size_t bytes_kept = 16'777'216;        // the newest message is kept in any case
  size_t clients = 100;                  // of one user
  uint64_t life_ms = 7ULL * 86'400'000;  // of a mailbox, since its last push or poll
  uint64_t client_life_ms = 86'400'000;  // how long an absent client's messages are kept
  size_t answer_bytes = 1'048'576;       // after which an answer takes no further message
  size_t ring_bytes = 16'384;            // the longest element that a ring carries
};

class RedisStore final : public Store {
 public:
  // What Redis is known to have taken: one a recipient.
  struct Figures {
    Counter messages;
    Counter bytes;
  };

  // `program` names this program among those that watch mailboxes: keys.h.
  RedisStore(RedisConnection& redis, const Clock& clock, const MailboxLimits& limits,
             std::string_view program);

  // What this program pushes and watches itself rings nowhere, but is told here: on the store's
  // thread, before who pushed hears of it.
  struct Here {
    std::function<void(std::string_view user, const Ring& ring)> rung;
    // A push to these users was sent, and nobody knows whether it was carried out.
    std::function<void(const std::vector<std::string>& users)> in_doubt;
  };
  void tell_here(Here here);

  // From now on a push counts as taken only when so many replicas have it as well, which they are
  // given `most_ms` for, and else as unavailable.
  void confirm_by(size_t replicas, uint64_t most_ms);

  void push_each(std::span<const std::string_view> users, std::string_view element,
                 ThenEach then) override;
  void read(const ReadRequest& request, Then<Reading> then) override;
  void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) override;
  void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                   uint64_t park_until, Then<bool> then) override;
  void view(std::string_view user, Then<MailboxView> then) override;
  void unread(std::string_view user, std::string_view client, Then<uint64_t> then) override;
  void remove(std::string_view user, Then<bool> then) override;
  void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) override;
  void adopt_all(std::string_view user, Then<bool> then) override;

  // Any thread.
  const Figures& pushed() const { return pushed_; }

 private:
  // What Redis has taken, and its replicas not yet as far as is known.
  struct Taken {
    std::vector<Or<Pushed>> outcomes;
    ThenEach then;
  };

  RedisConnection& redis_;
  const Clock& clock_;
  // What renews expiries and how long they are, as the scripts want it.
  struct Lives {
    std::string due_before;
    std::string base;
    std::string others;
  };
  Lives lives(uint64_t now) const;
  void confirm_taken();
  void note(const ReadRequest& request, Then<Reading> then);
  // What became of each; none: the raw element was not there any more.
  using ThenOutcomes = std::function<void(std::vector<Or<Pushed>>)>;
  void send_push(std::span<const std::string_view> users, std::string_view element,
                 std::optional<std::string_view> raw, ThenOutcomes then);
  std::vector<Or<Pushed>> took(const Reply& reply, const std::vector<std::string>& users,
                               std::string_view element);
  void adopt_each(const std::string& user, std::deque<std::string> raws, const Then<bool>& then);
  void read_all(const ReadRequest& request, uint64_t now, Then<Reading> then);

  const MailboxLimits limits_;
  const std::string watcher_;

  size_t replicas_ = 0;  // must confirm a push
  uint64_t replicas_most_ms_ = 0;
  bool confirming_ = false;   // a WAIT is under way
  std::vector<Taken> taken_;  // since it was sent
  Figures pushed_;
  Here here_;
};

}  // namespace letterbox
