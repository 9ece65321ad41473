// SPDX-License-Identifier: MIT
//
// POST /push: one message to one or several mailboxes, or a batch of them. fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "handlers/mail.h"
#include "handlers/outcomes.h"
#include "handlers/resolving.h"
#include "handlers/turns.h"
#include "mailbox/groups.h"
#include "mailbox/store.h"
#include "model/query.h"

namespace letterbox {

struct PushRules {
  size_t body_max = 262'144;     // bytes; the switchboard enforces it, the error tells it
  size_t recipients_max = 1000;  // named in one call, groups among them
  BroadcastLimits broadcast = {};
  uint64_t ttl_max_ms = 7ULL * 86'400'000;  // the life of a mailbox: nothing outlives that
};

class PushHandler {
 public:
  // One a worker; `store` and `groups` are that worker's.
  PushHandler(Store& store, Groups& groups, const Clock& clock, const PushRules& rules);

  void push(const Request& request, const Query& query, Answer answer) const;

  // The same from within: one message, to whom `to` may name in a push. `data` is JSON. `then` gets
  // what would have been answered.
  void push(std::string_view to, std::string_view type, std::string_view data,
            Outcomes::Then then) const;

 private:
  Or<Mail> read_within_limits(const Request& request, const Query& query) const;
  Or<Mail> read(const Request& request, const Query& query) const;
  // What the query says of a message: all of it, or what an envelope leaves out.
  struct Stamp {
    std::string type;
    uint64_t expires_ms;  // 0: never
  };
  Or<Stamp> read_stamp(const Query& query, uint64_t now) const;
  Or<Mail> read_addressed(const Request& request, const Stamp& stamp, uint64_t now,
                          std::vector<std::string> to) const;
  Or<Mail> read_enveloped(const Request& request, const Stamp& stamp, uint64_t now) const;
  Or<uint64_t> expiry(uint64_t now, uint64_t ttl_ms) const;
  void send(Or<Mail> mail, size_t body_bytes, Outcomes::Then then) const;
  void resolve(Mail mail, Held held, Outcomes::Then then) const;

  Store& store_;
  Groups& groups_;
  const Clock& clock_;
  const PushRules rules_;
  // Both outlive this for what is on its way.
  const std::shared_ptr<size_t> in_hand_;  // bytes
  const std::shared_ptr<Turns> turns_;
};

}  // namespace letterbox
