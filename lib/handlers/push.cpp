// SPDX-License-Identifier: MIT
#include "handlers/push.h"

#include <strings.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "handlers/delivery.h"
#include "handlers/reply.h"
#include "handlers/resolving.h"
#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "model/seconds.h"

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

// As a letter knows them. Nobody gets a message twice because his name was given twice.
std::vector<Recipient> to_recipients(std::vector<std::string> names) {
  std::vector<Recipient> recipients;
  recipients.reserve(names.size());  // and they stay where they are: `seen` looks at them
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

void deliver(Store& store, const std::shared_ptr<Turns>& turns, Mail mail, Held held,
             Outcomes::Then then) {
  std::make_shared<Delivery>(store, turns, std::move(mail), std::move(held), std::move(then))
      ->begin();
}

bool is_for_many(const Letter& letter) {
  return std::any_of(letter.to.begin(), letter.to.end(),
                     [](const Recipient& recipient) { return recipient.stands_for_many(); });
}

// What of a mail is in memory besides the body it came in: its elements, and of those copies that
// are on their way, of which there are no more than a mebibyte. (How many a group has is not known
// yet: as many as may be on their way.)
size_t weight_of(const Mail& mail) {
  constexpr size_t kCopiesMost = 1'048'576;
  constexpr size_t kOfAGroup = 100;
  return std::min(mail.stored_bytes() * (mail.broadcast ? kOfAGroup : 1), kCopiesMost);
}

}  // namespace

PushHandler::PushHandler(Store& store, Groups& groups, const Clock& clock, const PushRules& rules)
    : store_(store),
      groups_(groups),
      clock_(clock),
      rules_(rules),
      in_hand_(std::make_shared<size_t>(0)),
      turns_(std::make_shared<Turns>()) {}

Or<uint64_t> PushHandler::expiry(uint64_t now, uint64_t ttl_ms) const {
  if (ttl_ms > 0 && ttl_ms <= rules_.ttl_max_ms) return now + ttl_ms;
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
  Stamp stamp{std::string(type->value_or(kDefaultType)), 0};
  if (!*ttl) return stamp;
  const auto ttl_ms = parse_seconds_ms(**ttl);
  if (!ttl_ms) {
    return Error{Code::bad_ttl,
                 "ttl must be a number of seconds, got '" + std::string(**ttl) + "'"};
  }
  const auto expires = expiry(now, *ttl_ms);
  if (!expires) return expires.error();
  stamp.expires_ms = *expires;
  return stamp;
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
  mail.letters.push_back(
      {make_element(stamp.type, *data, now, stamp.expires_ms), to_recipients(std::move(to))});
  return mail;
}

Or<Mail> PushHandler::read_enveloped(const Request& request, const Stamp& stamp,
                                     uint64_t now) const {
  auto envelopes = parse_envelopes(request.body);
  if (!envelopes) return envelopes.error();
  Mail mail;
  mail.many = envelopes->batch;
  for (auto& item : envelopes->items) {
    if (!item) {
      if (!envelopes->batch) return item.error();
      mail.letters.push_back({item.error(), to_recipients({""})});
      continue;
    }
    mail.many = mail.many || item->many;
    const auto expires = item->ttl_ms ? expiry(now, *item->ttl_ms) : Or<uint64_t>(stamp.expires_ms);
    auto element = expires ? Or<std::string>(make_element(item->type.value_or(stamp.type),
                                                          item->data, now, *expires))
                           : Or<std::string>(expires.error());
    mail.letters.push_back({std::move(element), to_recipients(std::move(item->to))});
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

Or<Mail> PushHandler::read_within_limits(const Request& request, const Query& query) const {
  auto mail = read(request, query);
  if (!mail) return mail;
  if (mail->recipients() > rules_.recipients_max) {
    return Error{
        Code::too_many_recipients,
        "one call may name " + std::to_string(rules_.recipients_max) + " recipients at most"};
  }
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
  } else if (mail->broadcast) {
    resolve(std::move(*mail), std::move(held), std::move(then));
  } else {
    deliver(store_, turns_, std::move(*mail), std::move(held), std::move(then));
  }
}

void PushHandler::resolve(Mail mail, Held held, Outcomes::Then then) const {
  std::make_shared<Resolving>(
      groups_, rules_.broadcast, std::move(mail), std::move(held),
      [&store = store_, turns = turns_, then = std::move(then)](Or<Mail> found, Held its) mutable {
        if (!found) {
          then(to_response(found.error()));
        } else {
          deliver(store, turns, std::move(*found), std::move(its), std::move(then));
        }
      })
      ->go_on();
}

}  // namespace letterbox
