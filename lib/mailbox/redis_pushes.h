// SPDX-License-Identifier: MIT
//
// Pushes on their way into Redis. All pushes of one turn of the loop go in one step (push.lua), or
// in as few as the bounds of a step allow: a step costs Redis as much as the message itself. Each
// push has an outcome of its own. For one worker's thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "mailbox/mailbox_limits.h"
#include "mailbox/replicas.h"
#include "mailbox/store.h"
#include "model/message.h"
#include "redis/redis.h"

namespace letterbox {

class RedisPushes final : public Loop::Flusher {
 public:
  // What Redis is known to have stored. A message counts once for each recipient.
  struct Figures {
    Counter messages;
    Counter bytes;
    Counter replays;
  };

  // `watcher` is this program's name in mailboxes: keys.h. REQUIRES: everything passed by reference
  // outlives this object.
  RedisPushes(Redis& redis, const Clock& clock, const MailboxLimits& limits,
              const std::string& watcher, Replicas& replicas);
  ~RedisPushes() override;
  RedisPushes(const RedisPushes&) = delete;
  RedisPushes& operator=(const RedisPushes&) = delete;

  // A push by this program to a mailbox that it watches itself rings at no address. This program is
  // told here instead: on the store's thread, before the push's own callback.
  struct Here {
    std::function<void(std::string_view user, const Ring& ring)> rung;
    // A push to these users was sent, and it is unknown whether it was carried out.
    std::function<void(const std::vector<std::string>& users)> in_doubt;
  };
  void tell_here(Here here);

  // As Store::push_each() and Store::adopt().
  void push(std::span<const std::string_view> users, std::string_view element,
            const PushOptions& options, Store::ThenEach then);
  void adopt(std::string_view user, std::string_view raw, Store::Then<Pushed> then);
  // Adopts a raw element in the same step that takes it out of the list. False: it was no longer
  // there.
  void take_out(std::string_view user, std::string_view raw, Store::Then<bool> then);

  // Sends the gathered pushes. The loop calls it at the end of the turn.
  void flush() override;

  // Any thread.
  const Figures& figures() const { return figures_; }

 private:
  // One message and its recipients.
  struct Push {
    std::vector<std::string> users;
    std::string element;
    std::string options;  // as push.lua takes them
    Store::ThenEach then;
    bool promised;  // success promises the caller that it is kept: replicas must confirm it
  };
  // Arguments of push.lua that are the same in every step.
  struct Constants {
    std::string messages_most;
    std::string ring_bytes;
    std::string client_life;
    std::string uncounted_bytes;
    std::string bytes_most;
    std::string hears;
    std::string record_life;
  };

  void gather(Push push);
  void send(std::vector<Push> pushes, std::optional<std::string_view> raw);
  void answered(const Reply& reply, std::vector<Push> pushes);
  std::vector<Or<Pushed>> outcomes_of(const Push& push, const Reply& reply, size_t at);

  Redis& redis_;
  const Clock& clock_;
  const MailboxLimits& limits_;
  const std::string& watcher_;
  Replicas& replicas_;
  const Constants constants_;

  std::vector<Push> gathered_;
  Here here_;
  Figures figures_;
};

}  // namespace letterbox
