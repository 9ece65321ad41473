// SPDX-License-Identifier: MIT
//
// handlers/push.h: the elements that a push puts into the store, from its query, its Content-Type
// and its Idempotency-Key (the input's first three lines), and its body.
#include "handlers/push.h"

#include <utility>

#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_calendar.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/fake_idempotency.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_store.h"

namespace letterbox::fuzz {
namespace {

void must_be_a_message(const test::FakeStore::Push& push, const Clock& clock,
                       const PushRules& rules) {
  must(valid_user(push.user), "a message is for a user");
  const auto element = parse_element(push.element);
  must(element.has_value(), "a push hands over an element");
  must(element->expires == 0 || (element->expires > clock.wall_ms() &&
                                 element->expires <= clock.wall_ms() + rules.ttl_max_ms),
       "it expires in time");
  std::string message;
  append_message(message, {{5, 1}, element->body});
  const auto json = compact_json(message);
  must(json && *json == message, "a client gets it as compact JSON");
}

void must_be_for_later(const test::FakeCalendar::Addition& addition, const Clock& clock) {
  must(!addition.users.empty() && addition.users.size() <= kStepRecipients, "a step is short");
  for (const auto& user : addition.users) must(valid_user(user), "a later message is for a user");
  must(addition.at_ms > clock.wall_ms() && addition.at_ms <= clock.wall_ms() + kDelayMostMs,
       "it is due within thirty days");
  const auto element = parse_element(addition.element);
  must(element && (element->expires == 0 || element->expires > addition.at_ms),
       "it expires after it is due");
}

}  // namespace

void try_one(std::string_view input) {
  Request request;
  const auto query = Query::parse(next_line(input));
  if (!query) return;
  request.content_type = next_line(input);
  request.idempotency_key = next_line(input);
  request.body = input;

  const test::FakeClock clock;
  test::FakeStore store;
  test::FakeGroups groups;
  groups.online_now = {"alice", "bob", "", "group:x"};
  groups.all["a"] = {"bob", "carol", "*"};
  test::FakeIdempotencyKeys keys;
  test::FakePeer peer;
  const PushRules rules;
  test::FakeCalendar calendar;
  PushHandler(store, groups, calendar, keys, clock, rules).push(request, *query, peer.owed());
  const size_t most = rules.recipients_max * groups.online_now.size();
  for (size_t pushes = 0; !store.pushes.empty() || !calendar.additions.empty(); ++pushes) {
    must(pushes < most, "a push has at most that many recipients");
    must(!peer.answered(), "no push is answered before the store has");
    if (!calendar.additions.empty()) {
      const auto addition = std::move(calendar.additions.front());
      calendar.additions.pop_front();
      must_be_for_later(addition, clock);
      addition.then({addition.users.size(), Scheduled{"alice.0123456789abcdef", 5}});
      continue;
    }
    const auto push = std::move(store.pushes.front());
    store.pushes.pop_front();
    must_be_a_message(push, clock, rules);
    push.then(Pushed{{5, 1}, 1, true});
  }
  must(peer.answered(), "a push is answered");
  must(peer.answer().status() >= 200 && peer.answer().status() < 500, "and never by a failure");
  must(static_cast<bool>(compact_json(peer.answer().body)), "with JSON");
}

}  // namespace letterbox::fuzz
