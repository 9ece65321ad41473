// SPDX-License-Identifier: MIT
//
// handlers/poll.h: the read that a poll asks the store for, from its query and its Last-Event-ID
// (the input's first line).
#include "handlers/poll.h"

#include <utility>

#include "mailbox/admission_cache.h"
#include "model/json.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_bells.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "waiting/review.h"

namespace letterbox::fuzz {
namespace {

constexpr uint64_t kLongest = 50'000;

void must_be_bounded(const test::FakeStore::Read& read, const Clock& clock) {
  must(valid_user(read.user), "a mailbox that is read is a user's");
  must(read.client.empty() || valid_client(read.client), "a client has a valid name");
  must(read.limit >= 1 && read.limit <= 1000, "a limit is from 1 to 1000");
  must(read.park_until <= clock.wall_ms() + kLongest, "no poll waits longer than is allowed");
  must(!read.after || Cursor::parse(read.after->text()) == read.after, "a cursor is in its bounds");
  must(!read.foreign || read.after, "only a cursor can be foreign");
}

void must_be_json(const std::string& body) {
  must(static_cast<bool>(compact_json(body)), "an answer is JSON");
}

}  // namespace

void try_one(std::string_view input) {
  Request request;
  request.last_event_id = next_line(input);
  const auto query = Query::parse(input);
  if (!query) return;

  const test::FakeClock clock;
  Loop loop{clock};
  test::FakeStore store;
  test::FakeBells bells;
  Desk desk{loop, store};
  Room room{clock, bells, [] {}};
  test::FakeAccess access{clock};
  access.at_once = true;
  AdmissionCache cache{clock};
  Review review{clock, cache, room};
  const SignedTokens no_keys;
  const Origins no_origins = Origins::parse("").value();
  const Gate gate{desk, access, cache, review, no_keys, no_origins, clock, true};
  test::FakePeer peer;
  test::FakePresence presence;
  PresenceBook book{loop, presence, 10};
  const Entrance entrance(desk, gate, room, book);
  const PollHandler handler(gate, entrance, {.timeout_max_ms = kLongest});
  handler.poll(request, *query, peer.owed());

  if (!store.peeks.empty()) {
    must(!peer.answered() && store.reads.empty(), "a poll that has no cursor yet reads nothing");
    const auto then = std::move(store.peeks.front().then);
    then(Store::Glimpses{Glimpse{.newest = {5, 3}}});
    must(store.reads.front().after == Cursor{5, 3}, "now is after the newest message");
  }
  must(store.reads.size() == (peer.answered() ? 0 : 1), "a poll is refused, or reads");
  if (peer.answered()) {
    must(peer.answer().status() >= 400 && peer.answer().status() < 500, "it is the caller's fault");
  } else {
    must_be_bounded(store.reads.front(), clock);
    const auto then = std::move(store.reads.front().then);
    then(Reading{});  // finds nothing: the poll parks, or is answered
    room.close(desk);
    must(peer.answered() && peer.answer().status() == 200, "the end answers a parked poll");
  }
  must_be_json(peer.answer().body);
}

}  // namespace letterbox::fuzz
