// SPDX-License-Identifier: MIT
//
// POST /push: delivers one message to one or several mailboxes, or a batch of messages.
// fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/calendar.h"
#include "mailbox/groups.h"
#include "mailbox/idempotency.h"
#include "mailbox/store.h"
#include "model/envelope.h"
#include "model/query.h"
#include "requests/mail.h"
#include "requests/outcomes.h"
#include "requests/resolving.h"
#include "requests/turns.h"

namespace letterbox {

struct PushRules {
  size_t body_max = kPushBodyBytes;     // bytes; the switchboard enforces it, the error names it
  size_t recipients_max = kRecipients;  // named in one call, including groups
  BroadcastLimits broadcast = {};
  uint64_t key_life_ms = kRecordLifeMs;  // of an Idempotency-Key
  uint64_t ttl_max_ms = kMailboxLifeMs;  // the life of a mailbox: no message outlives it
};

class PushHandler {
 public:
  // One a worker. `store`, `groups`, `calendar` and `keys` are that worker's.
  PushHandler(Store& store, Groups& groups, Calendar& calendar, IdempotencyKeys& keys,
              const Clock& clock, const PushRules& rules);

  void push(const Request& request, const Query& query, Answer answer) const;

  // Pushes one message from inside the program. `to` is a recipient as in POST /push. `data` is
  // JSON. `then` gets the response that POST /push would have answered.
  void push(std::string_view to, std::string_view type, std::string_view data,
            Outcomes::Then then) const;

 private:
  Error too_many_recipients() const;
  Or<Mail> read_within_limits(const Request& request, const Query& query) const;
  Or<Mail> read(const Request& request, const Query& query) const;
  // What the query says about a message. It applies to a message that is the body, and to what an
  // envelope leaves out.
  struct Stamp {
    std::string type;
    uint64_t ttl_ms = 0;  // 0: for ever
    uint64_t due_ms = 0;  // 0: at once
    std::string collapse = {};
  };
  static Letter to_letter(const Stamp& stamp, std::string_view data, uint64_t now,
                          std::vector<Recipient> to);
  Or<Stamp> read_stamp(const Query& query, uint64_t now) const;
  Or<Mail> read_addressed(const Request& request, const Stamp& stamp, uint64_t now,
                          std::vector<std::string> to) const;
  Or<Mail> read_enveloped(const Request& request, const Stamp& stamp, uint64_t now) const;
  Or<Stamp> stamp_of(const Envelope& envelope, const Stamp& stamp, uint64_t now) const;
  Or<uint64_t> checked_ttl(uint64_t ttl_ms) const;
  void send(Or<Mail> mail, size_t body_bytes, Outcomes::Then then) const;
  void claim(Mail mail, Held held, Outcomes::Then then) const;
  void deliver(Mail mail, Held held, Outcomes::Then then) const;
  void resolve(Mail mail, Held held, Outcomes::Then then) const;

  Store& store_;
  Groups& groups_;
  Calendar& calendar_;
  IdempotencyKeys& keys_;
  const Clock& clock_;
  const PushRules rules_;
  // Calls that are under way share both, so both may outlive the handler.
  const std::shared_ptr<size_t> in_hand_;  // bytes
  const std::shared_ptr<Turns> turns_;
};

}  // namespace letterbox
