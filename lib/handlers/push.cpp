// SPDX-License-Identifier: MIT
#include "handlers/push.h"

#include <strings.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "model/envelope.h"
#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "model/seconds.h"
#include "requests/claiming.h"
#include "requests/delivery.h"
#include "requests/reply.h"
#include "requests/resolving.h"

namespace letterbox {

namespace {

bool is_json(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  const auto equals = [](std::string_view a, std::string_view b) {
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
  };
  constexpr std::string_view kApplication = "application/";
  constexpr std::string_view kSuffix = "+json";
  return equals(type, "application/json") ||
         (type.size() > kApplication.size() + kSuffix.size() &&
          equals(type.substr(0, kApplication.size()), kApplication) &&
          equals(type.substr(type.size() - kSuffix.size()), kSuffix));
}

std::vector<std::string> split_by_commas(const std::vector<std::string_view>& values) {
  std::vector<std::string> names;
  for (std::string_view value : values) {
    while (true) {
      const size_t comma = value.find(',');
      names.emplace_back(value.substr(0, comma));
      if (comma == std::string_view::npos) break;
      value.remove_prefix(comma + 1);
    }
  }
  return names;
}

// The recipients of a letter. A user whose name is given twice gets the message once.
std::vector<Recipient> to_recipients(std::vector<std::string> names) {
  std::vector<Recipient> recipients;
  recipients.reserve(names.size());  // so no recipient moves: `seen` points into them
  if (names.size() == 1) {
    recipients.push_back(Recipient::parse(std::move(names.front())));
    return recipients;
  }
  std::unordered_set<std::string_view> seen;
  for (auto& name : names) {
    if (seen.contains(name)) continue;
    recipients.push_back(Recipient::parse(std::move(name)));
    seen.insert(recipients.back().text);
  }
  return recipients;
}

// When a message is to be pushed, of which the sender has said one of both, or none. 0: at once.
Or<uint64_t> due_ms(uint64_t now, std::optional<uint64_t> delay_ms, std::optional<uint64_t> at_ms) {
  constexpr std::string_view kDays = kTextOf<kDelayMostMs / kDayMs>;
  if (delay_ms && at_ms) {
    return Error{Code::bad_time, "say delay=SECONDS or at=UNIX_MS, not both"};
  }
  if (delay_ms && (*delay_ms == 0 || *delay_ms > kDelayMostMs)) {
    return Error{Code::bad_time,
                 "delay must be more than 0 seconds and at most " + std::string(kDays) + " days"};
  }
  if (at_ms && *at_ms > now + kDelayMostMs) {
    return Error{Code::bad_time, "at must be at most " + std::string(kDays) + " days ahead, in ms"};
  }
  if (delay_ms) return now + *delay_ms;
  return at_ms.value_or(0) > now ? *at_ms : 0;
}

// The time of a parameter of the query, which `parse` reads.
template <class Parse>
Or<std::optional<uint64_t>> read_time(const Query& query, std::string_view name, Parse parse) {
  const auto text = query.single(name);
  if (!text) return text.error();
  if (!*text) return std::optional<uint64_t>();
  const auto ms = parse(**text);
  if (ms) return ms;
  return Error{Code::bad_time,
               std::string(name) + " must be a plain number, got '" + std::string(**text) + "'"};
}

Or<uint64_t> read_due(const Query& query, uint64_t now) {
  const auto delay = read_time(query, "delay", parse_seconds_ms);
  if (!delay) return delay.error();
  const auto at = read_time(query, "at", parse_u64);
  if (!at) return at.error();
  return due_ms(now, *delay, *at);
}

void begin_delivery(Store& store, Calendar& calendar, const std::shared_ptr<Turns>& turns,
                    Mail mail, Held held, Outcomes::Then then) {
  std::make_shared<Delivery>(store, calendar, turns, std::move(mail), std::move(held),
                             std::move(then))
      ->begin();
}

// Everything that is pushed by a call that has this key, apart from the time.
KeyUse use_of(std::string_view key, const Request& request, const Query& query) {
  std::string asked;
  for (const auto* name : {"to", "type", "ttl", "collapse", "delay", "at"}) {
    for (const auto value : query.all(name)) ((asked += name) += '=') += value;
    asked += '\n';
  }
  return KeyUse::of(key, {asked, is_json(request.content_type) ? "json" : "text", request.body});
}

// The same, of an envelope that has a key of its own.
KeyUse use_of(std::string_view key, const Envelope& envelope, std::string_view collapse) {
  std::string to;
  for (const auto& name : envelope.to) (to += name) += '\n';
  return KeyUse::of(key, {to, envelope.type.value_or(""), envelope.data,
                          std::to_string(envelope.ttl_ms.value_or(0)), collapse,
                          std::to_string(envelope.delay_ms.value_or(0)),
                          std::to_string(envelope.at_ms.value_or(0))});
}

bool is_for_many(const Letter& letter) {
  return std::any_of(letter.to.begin(), letter.to.end(),
                     [](const Recipient& recipient) { return recipient.stands_for_many(); });
}

// The bytes of memory that a mail takes up in addition to its body: its elements, and the copies
// that are on their way. At most one mebibyte of copies is on its way. (The number of members of a
// group is not known yet: this assumes the most recipients that may be on their way.)
size_t weight_of(const Mail& mail) {
  return std::min(mail.stored_bytes() * (mail.broadcast ? kUnderWayRecipients : 1), kUnderWayBytes);
}

}  // namespace

PushHandler::PushHandler(Store& store, Groups& groups, Calendar& calendar, IdempotencyKeys& keys,
                         const Clock& clock, const PushRules& rules)
    : store_(store),
      groups_(groups),
      calendar_(calendar),
      keys_(keys),
      clock_(clock),
      rules_(rules),
      in_hand_(std::make_shared<size_t>(0)),
      turns_(std::make_shared<Turns>()) {}

Or<uint64_t> PushHandler::checked_ttl(uint64_t ttl_ms) const {
  if (ttl_ms > 0 && ttl_ms <= rules_.ttl_max_ms) return ttl_ms;
  return Error{Code::bad_ttl, "ttl must be more than 0 and at most " +
                                  std::to_string(rules_.ttl_max_ms / 1000) + " seconds"};
}

Or<PushHandler::Stamp> PushHandler::read_stamp(const Query& query, uint64_t now) const {
  const auto type = query.single("type");
  if (!type) return type.error();
  const auto ttl = query.single("ttl");
  if (!ttl) return ttl.error();
  if (*type && !valid_type(**type)) {
    return Error{Code::bad_type,
                 "type must be 1 to 64 characters, none of them a control character, and not "
                 "begin with 'letterbox.'"};
  }
  const auto collapse = query.single("collapse");
  if (!collapse) return collapse.error();
  if (*collapse && !valid_collapse_key(**collapse)) return bad_collapse();
  const auto due = read_due(query, now);
  if (!due) return due.error();
  Stamp stamp{.type = std::string(type->value_or(kDefaultType)),
              .due_ms = *due,
              .collapse = std::string(collapse->value_or(""))};
  if (!*ttl) return stamp;
  const auto ttl_ms = parse_seconds_ms(**ttl);
  if (!ttl_ms) {
    return Error{Code::bad_ttl,
                 "ttl must be a number of seconds, got '" + std::string(**ttl) + "'"};
  }
  const auto checked = checked_ttl(*ttl_ms);
  if (!checked) return checked.error();
  stamp.ttl_ms = *checked;
  return stamp;
}

// The message's own time is the one at which it is pushed, and its life begins then.
Letter PushHandler::to_letter(const Stamp& stamp, std::string_view data, uint64_t now,
                              std::vector<Recipient> to) {
  const uint64_t time = std::max(now, stamp.due_ms);
  const uint64_t expires = stamp.ttl_ms > 0 ? time + stamp.ttl_ms : 0;
  return {make_element(stamp.type, data, time, expires),
          std::move(to),
          {.collapse = stamp.collapse},
          stamp.due_ms};
}

Or<Mail> PushHandler::read_addressed(const Request& request, const Stamp& stamp, uint64_t now,
                                     std::vector<std::string> to) const {
  auto data = is_json(request.content_type) ? compact_json(request.body)
              : valid_utf8(request.body)
                  ? Or<std::string>(json_string(request.body))
                  : Or<std::string>(Error{Code::bad_encoding, "the body is not UTF-8 text"});
  if (!data) return data.error();

  Mail mail;
  mail.many = to.size() > 1;
  mail.letters.push_back(to_letter(stamp, *data, now, to_recipients(std::move(to))));
  return mail;
}

// What an envelope says, and what the query says where the envelope says nothing.
Or<PushHandler::Stamp> PushHandler::stamp_of(const Envelope& envelope, const Stamp& stamp,
                                             uint64_t now) const {
  Stamp own = stamp;
  if (envelope.type) own.type = *envelope.type;
  if (!envelope.collapse.empty()) own.collapse = envelope.collapse;
  if (envelope.ttl_ms) {
    const auto ttl = checked_ttl(*envelope.ttl_ms);
    if (!ttl) return ttl.error();
    own.ttl_ms = *ttl;
  }
  if (envelope.delay_ms || envelope.at_ms) {
    const auto due = due_ms(now, envelope.delay_ms, envelope.at_ms);
    if (!due) return due.error();
    own.due_ms = *due;
  }
  return own;
}

Or<Mail> PushHandler::read_enveloped(const Request& request, const Stamp& stamp,
                                     uint64_t now) const {
  auto envelopes = parse_envelopes(request.body);
  if (!envelopes) return envelopes.error();
  // (Before each of them takes as much memory again: it names a recipient at least.)
  if (envelopes->items.size() > rules_.recipients_max) return too_many_recipients();
  Mail mail;
  mail.many = envelopes->batch;
  for (auto& item : envelopes->items) {
    if (!item) {
      if (!envelopes->batch) return item.error();
      mail.letters.push_back({item.error(), to_recipients({""})});
      continue;
    }
    mail.many = mail.many || item->many;
    const auto own = stamp_of(*item, stamp, now);
    Letter letter = own ? to_letter(*own, item->data, now, {}) : Letter{own.error(), {}};
    if (!item->idempotency_key.empty()) {
      letter.key = use_of(item->idempotency_key, *item, letter.options.collapse);
      letter.options.record = letter.key->record(0);
    }
    letter.to = to_recipients(std::move(item->to));
    mail.letters.push_back(std::move(letter));
  }
  return mail;
}

Or<Mail> PushHandler::read(const Request& request, const Query& query) const {
  if (request.body_too_large) {
    return Error{Code::too_large,
                 "a body may be " + std::to_string(rules_.body_max) + " bytes at most"};
  }
  const auto values = query.all("to");
  const bool addressed = !values.empty();
  if (!addressed && !is_json(request.content_type)) {
    return Error{Code::missing_to, "say to whom: to=NAME, or a JSON envelope with \"to\""};
  }
  if (request.body.empty()) return Error{Code::missing_body, "there is no body to deliver"};
  const uint64_t now = clock_.wall_ms();
  const auto stamp = read_stamp(query, now);
  if (!stamp) return stamp.error();
  return addressed ? read_addressed(request, *stamp, now, split_by_commas(values))
                   : read_enveloped(request, *stamp, now);
}

Error PushHandler::too_many_recipients() const {
  return {Code::too_many_recipients,
          "one call may name " + std::to_string(rules_.recipients_max) + " recipients at most"};
}

Or<Mail> PushHandler::read_within_limits(const Request& request, const Query& query) const {
  auto mail = read(request, query);
  if (!mail) return mail;
  if (const auto key = request.idempotency_key; !key.empty()) {
    if (!valid_idempotency_key(key)) return bad_idempotency_key();
    mail->key = use_of(key, request, query);
    for (size_t i = 0; i < mail->letters.size(); ++i) {
      Letter& letter = mail->letters[i];
      if (!letter.key) letter.options.record = mail->key->record(i);
    }
  } else if (!mail->many && mail->letters.size() == 1) {
    // The key of the only envelope is that of the call.
    mail->key = std::exchange(mail->letters.front().key, std::nullopt);
  }
  if (mail->recipients() > rules_.recipients_max) return too_many_recipients();
  return mail;
}

void PushHandler::push(const Request& request, const Query& query, Answer answer) const {
  send(read_within_limits(request, query), request.body.size(),
       [owed = std::move(answer)](Response response) mutable { owed.send(std::move(response)); });
}

void PushHandler::push(std::string_view to, std::string_view type, std::string_view data,
                       Outcomes::Then then) const {
  Mail mail;
  mail.letters.push_back(
      {make_element(type, data, clock_.wall_ms(), 0), to_recipients({std::string(to)})});
  send(std::move(mail), data.size(), std::move(then));
}

void PushHandler::send(Or<Mail> mail, size_t body_bytes, Outcomes::Then then) const {
  Held held(in_hand_);
  if (mail) {
    mail->broadcast = std::any_of(mail->letters.begin(), mail->letters.end(), is_for_many);
    if (!held.add(weight_of(*mail) + body_bytes, rules_.broadcast.in_hand)) mail = overloaded();
  }
  if (!mail) {
    then(to_response(mail.error()));
  } else if (Claiming::is_needed(*mail)) {
    claim(std::move(*mail), std::move(held), std::move(then));
  } else {
    deliver(std::move(*mail), std::move(held), std::move(then));
  }
}

void PushHandler::claim(Mail mail, Held held, Outcomes::Then then) const {
  std::make_shared<Claiming>(
      keys_, std::move(mail), std::move(held),
      [this, then = std::move(then)](std::optional<Response> instead, Mail claimed,
                                     Held its) mutable {
        if (instead) return then(std::move(*instead));
        if (!claimed.key || !claimed.broadcast) {
          return deliver(std::move(claimed), std::move(its), std::move(then));
        }
        // Groups change: the answer is kept once all recipients have the message. Until then a
        // repetition pushes to those who don't.
        const KeyUse use = *claimed.key;
        deliver(std::move(claimed), std::move(its),
                [&keys = keys_, use, then = std::move(then)](Response response) mutable {
                  if (response.status < 300) keys.keep(use, {response.status, response.body});
                  then(std::move(response));
                });
      })
      ->begin();
}

void PushHandler::deliver(Mail mail, Held held, Outcomes::Then then) const {
  if (mail.broadcast) {
    resolve(std::move(mail), std::move(held), std::move(then));
  } else {
    begin_delivery(store_, calendar_, turns_, std::move(mail), std::move(held), std::move(then));
  }
}

void PushHandler::resolve(Mail mail, Held held, Outcomes::Then then) const {
  std::make_shared<Resolving>(groups_, rules_.broadcast, std::move(mail), std::move(held),
                              [&store = store_, &calendar = calendar_, turns = turns_,
                               then = std::move(then)](Or<Mail> found, Held its) mutable {
                                if (!found) {
                                  then(to_response(found.error()));
                                } else {
                                  begin_delivery(store, calendar, turns, std::move(*found),
                                                 std::move(its), std::move(then));
                                }
                              })
      ->go_on();
}

}  // namespace letterbox
