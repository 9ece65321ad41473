// SPDX-License-Identifier: MIT
//
// handlers/push.h: what a push puts into the store, from its query, its Content-Type (the input's
// first two lines) and its body.
#include "handlers/push.h"

#include <utility>

#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_store.h"

namespace letterbox::fuzz {
namespace {

void must_be_a_message(const test::FakeStore::Push& push, const Clock& clock,
                       const PushRules& rules) {
  must(valid_user(push.user), "a message is for a user");
  const auto element = parse_element(push.element);
  must(element.has_value(), "what is pushed is an element");
  must(element->expires == 0 || (element->expires > clock.wall_ms() &&
                                 element->expires <= clock.wall_ms() + rules.ttl_max_ms),
       "it expires in time");
  std::string message;
  append_message(message, {{5, 1}, element->body});
  const auto json = compact_json(message);
  must(json && *json == message, "a client gets it as compact JSON");
}

}  // namespace

void try_one(std::string_view input) {
  Request request;
  const auto query = Query::parse(next_line(input));
  if (!query) return;
  request.content_type = next_line(input);
  request.body = input;

  const test::FakeClock clock;
  test::FakeStore store;
  test::FakeGroups groups;
  groups.online_now = {"alice", "bob", "", "group:x"};
  groups.all["a"] = {"bob", "carol", "*"};
  test::FakePeer peer;
  const PushRules rules;
  PushHandler(store, groups, clock, rules).push(request, *query, peer.owed());
  const size_t most = rules.recipients_max * groups.online_now.size();
  for (size_t pushes = 0; !store.pushes.empty(); ++pushes) {
    must(pushes < most, "a push has so many recipients at most");
    must(!peer.answered(), "nobody is answered before the store has");
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
