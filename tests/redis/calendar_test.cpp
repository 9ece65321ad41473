// SPDX-License-Identifier: MIT
//
// Messages that are to be pushed later, in Redis.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "mailbox/redis_calendar.h"
#include "model/message.h"
#include "model/scheduled_id.h"
#include "tests/redis/mailboxes.h"

namespace letterbox::test {
namespace {

using Texts = std::vector<std::string>;

// A program's calendar: of its own connection.
struct Scheduling : Mailboxes {
  RedisCalendar calendar{worker.redis, clock, small_limits(), worker.store.replicas()};
  const std::string own{scheduled_key("alice")};

  std::vector<Or<Scheduled>> add_to(const std::vector<std::string_view>& users, uint64_t in_ms,
                                    std::string_view data = "1", const PushOptions& options = {}) {
    const uint64_t at = in(in_ms);
    const std::string element = make_element("mail", data, at, 0);
    return worker.await<std::vector<Or<Scheduled>>>([&](const auto& then) {
      calendar.add_each(users, element, at, options,
                        [then](const std::vector<Or<Scheduled>>& outcomes) { then(outcomes); });
    });
  }
  Or<Scheduled> try_add(uint64_t in_ms, std::string_view data = "1",
                        const PushOptions& options = {}) {
    return add_to({"alice"}, in_ms, data, options).front();
  }
  Scheduled add(uint64_t in_ms, std::string_view data = "1", const PushOptions& options = {}) {
    const auto added = try_add(in_ms, data, options);
    REQUIRE(added);
    return *added;
  }
  Or<ScheduledPage> try_view(std::string_view user, std::string_view after, size_t limit) {
    return worker.await<Or<ScheduledPage>>(
        [&](const auto& then) { calendar.view(user, after, limit, then); });
  }
  ScheduledPage page(std::string_view after = "", size_t limit = 100) {
    auto page = try_view("alice", after, limit);
    REQUIRE(page);
    return *std::move(page);
  }
  Texts ids(const ScheduledPage& page) {
    Texts ids;
    for (const auto& entry : page.entries) ids.push_back(entry.id);
    return ids;
  }
  Or<bool> cancel(std::string_view id) {
    return worker.await<Or<bool>>([&](const auto& then) { calendar.cancel(id, then); });
  }
  Or<Calendar::Look> try_look(size_t most = 50) {
    return worker.await<Or<Calendar::Look>>(
        [&](const auto& then) { calendar.look(most, 250, then); });
  }
  Calendar::Look look(size_t most = 50) {
    auto found = try_look(most);
    REQUIRE(found);
    return *std::move(found);
  }
  bool settle(const Texts& gone, const std::vector<Calendar::Postponed>& postponed = {}) {
    const auto settled =
        worker.await<Or<bool>>([&](const auto& then) { calendar.settle(gone, postponed, then); });
    return settled && *settled;
  }
  Texts index() { return worker.ask({"ZRANGE", shared_keys(0).schedule, "0", "-1"}).texts(); }
  int64_t life(std::string_view key) { return worker.ask({"PTTL", key}).integer; }
};

TEST_CASE_FIXTURE(Scheduling, "a scheduled message is shown until it is cancelled") {
  const auto added = add(5'000, R"("later")", {.record = {}, .collapse = "k", .scheduled = {}});
  CHECK(added.at_ms == in(5'000));
  CHECK(ScheduledId::parse(added.id)->user == "alice");
  CHECK_FALSE(added.replayed);
  const auto shown = page();
  REQUIRE(shown.entries.size() == 1);
  CHECK(shown.next.empty());
  CHECK(shown.entries[0].id == added.id);
  CHECK(shown.entries[0].at_ms == in(5'000));
  CHECK(shown.entries[0].message.element == make_element("mail", R"("later")", in(5'000), 0));
  CHECK(shown.entries[0].message.collapse == "k");
  CHECK(cancel(added.id).value());
  CHECK(page().entries.empty());
  CHECK(index().empty());
  CHECK_FALSE(cancel(added.id).value());
}

TEST_CASE_FIXTURE(Scheduling, "a calendar is shown in the order of time, page by page") {
  Texts added;
  for (const uint64_t later : {9'000, 700, 80'000, 10'000, 700, 700})
    added.push_back(add(later).id);
  Texts sorted = added;
  std::sort(sorted.begin(), sorted.end());
  CHECK(ids(page()) == sorted);
  CHECK(sorted.front() == added[1]);
  CHECK(sorted.back() == added[2]);

  Texts paged;
  std::string after;
  do {
    const auto shown = page(after, 4);
    for (const auto& id : ids(shown)) paged.push_back(id);
    after = shown.next;
  } while (!after.empty());
  CHECK(paged == sorted);
}

TEST_CASE_FIXTURE(Scheduling,
                  "the next page begins at the same place if the message before it is gone") {
  Texts added;
  for (uint64_t i = 1; i <= 4; ++i) added.push_back(add(i * 1'000).id);
  CHECK(page("", 2).next == added[1]);
  CHECK(cancel(added[1]).value());
  CHECK(ids(page(added[1], 2)) == Texts{added[2], added[3]});
}

TEST_CASE_FIXTURE(Scheduling, "a page ends after about as many bytes as an answer may have") {
  const std::string data = '"' + std::string(1'500, 'x') + '"';
  for (uint64_t i = 0; i < 5; ++i) add(1'000 + i, data);
  const auto first = page();
  CHECK(first.entries.size() == 3);  // of 1.5 KB each; 4,000 bytes
  CHECK(page(first.next).entries.size() == 2);
}

TEST_CASE_FIXTURE(Scheduling, "one message for several users has an id and an outcome for each") {
  REQUIRE(worker.ask({"SET", scheduled_key("broken"), "x"}).ok());
  const auto outcomes = add_to({"alice", "broken", "bob"}, 2'000);
  REQUIRE(outcomes.size() == 3);
  CHECK(ScheduledId::parse(outcomes[0]->id)->user == "alice");
  CHECK(ScheduledId::parse(outcomes[2]->id)->user == "bob");
  REQUIRE_FALSE(outcomes[1]);
  CHECK(outcomes[1].error().code == Code::broken_data);
  CHECK(outcomes[1].error().message.find(scheduled_key("broken")) != std::string::npos);
  CHECK(eventually([&] { return index().size() == 2; }));
}

TEST_CASE_FIXTURE(Scheduling, "a user has as many scheduled messages as a mailbox may hold") {
  const size_t most = small_limits().messages_kept;
  std::string last;
  for (size_t i = 0; i < most; ++i) last = add(1'000 + i).id;
  for (int i = 0; i < 2; ++i) {
    const auto refused = try_add(500);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::schedule_full);
  }
  CHECK(page().entries.size() == most);
  CHECK(index().size() == most);
  CHECK(add_to({"bob"}, 500).front());
  CHECK(cancel(last).value());
  CHECK(try_add(500));
}

TEST_CASE("a user's scheduled messages have as many bytes as a mailbox may hold") {
  struct : Scheduling {
    MailboxLimits limits = [] {
      MailboxLimits small;
      small.bytes_kept = 10'000;
      return small;
    }();
    RedisCalendar bounded{worker.redis, clock, limits, worker.store.replicas()};
    Or<Scheduled> add_bytes(size_t bytes) {
      const std::string_view alice = "alice";
      const std::string element = make_element("mail", '"' + std::string(bytes, 'x') + '"', 5, 0);
      return worker
          .await<std::vector<Or<Scheduled>>>([&](const auto& then) {
            bounded.add_each(
                {&alice, 1}, element, in(1'000), {},
                [then](const std::vector<Or<Scheduled>>& outcomes) { then(outcomes); });
          })
          .front();
    }
  } full;
  const auto first = full.add_bytes(4'000);
  REQUIRE(first);
  REQUIRE(full.add_bytes(4'000));
  const auto refused = full.add_bytes(4'000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::schedule_full);
  CHECK(full.add_bytes(1'000));
  // What has left is found to be gone, again and again.
  CHECK(full.cancel(first->id).value());
  for (int i = 0; i < 10; ++i) {
    const auto another = full.add_bytes(4'000);
    REQUIRE(another);
    CHECK(full.cancel(another->id).value());
  }
  // A single message may be longer, as in a mailbox.
  REQUIRE(full.worker.ask({"DEL", full.own}).ok());
  CHECK(full.add_bytes(20'000));
  CHECK_FALSE(full.add_bytes(1));
}

TEST_CASE_FIXTURE(Scheduling, "what is due is found at its time, the earliest first") {
  const auto later = add(1'000, "2");
  const auto soon = add(100, "1");
  add(5'000, "3");
  CHECK(look().due.empty());
  CHECK(look().next_ms == in(100));
  CHECK(look().waiting == 3);
  clock.pass(99);
  CHECK(look().due.empty());
  clock.pass(1);
  auto found = look();
  REQUIRE(found.due.size() == 1);
  CHECK(found.due[0].id == soon.id);
  CHECK(found.due[0].at_ms == soon.at_ms);
  REQUIRE(found.due[0].message);
  CHECK(found.due[0].message->element == make_element("mail", "1", soon.at_ms, 0));
  CHECK_FALSE(found.more);
  CHECK_FALSE(found.next_ms);
  clock.pass(1'000);
  found = look();
  REQUIRE(found.due.size() == 2);
  CHECK(found.due[1].id == later.id);
  CHECK(look(1).more);
  CHECK(look(1).due.size() == 1);
}

TEST_CASE_FIXTURE(Scheduling,
                  "what has left the index is found no more, and what is postponed later") {
  const auto first = add(10);
  const auto second = add(20);
  const auto third = add(30);
  clock.pass(50);
  REQUIRE(settle({first.id}, {{second.id, in(100)}, {"bob.0123456789abcdef", in(100)}}));
  auto found = look();
  REQUIRE(found.due.size() == 1);
  CHECK(found.due[0].id == third.id);
  CHECK(found.waiting == 2);  // what another program has removed does not come back
  REQUIRE(settle({third.id}));
  clock.pass(100);
  found = look();
  REQUIRE(found.due.size() == 1);
  CHECK(found.due[0].id == second.id);
  CHECK(found.due[0].at_ms == second.at_ms);
}

TEST_CASE_FIXTURE(Scheduling, "a due id without a message, or with another text, has none") {
  const auto gone = add(10);
  const auto odd = add(20);
  REQUIRE(worker.ask({"HDEL", own, gone.id}).ok());
  for (const auto text : {"", "no entry", "|no element", "c=k"}) {
    REQUIRE(worker.ask({"HSET", own, odd.id, text}).ok());
    clock.pass(30);
    const auto found = look();
    REQUIRE(found.due.size() == 2);
    CHECK_FALSE(found.due[0].message);
    CHECK_FALSE(found.due[1].message);
    CHECK(page().entries.empty());
  }
}

TEST_CASE_FIXTURE(
    Scheduling,
    "of several pushes of a scheduled message one stores it, and none if it was cancelled") {
  const auto added = add(10, "7", {.record = {}, .collapse = "score", .scheduled = {}});
  const auto cancelled = add(20);
  const auto last = add(30);
  CHECK(cancel(cancelled.id).value());
  for (const auto& id : {added.id, added.id, cancelled.id}) {
    const bool first = id == added.id && read_after(0).count == 0;
    const auto pushed = worker.push("alice", "7", {.record = {}, .collapse = {}, .scheduled = id});
    REQUIRE(pushed);
    CHECK((pushed->id == Cursor{}) == !first);
  }
  CHECK(read_after(0).count == 1);
  CHECK(ids(page()) == Texts{last.id});
  CHECK(worker.push("alice", "8", {.record = {}, .collapse = {}, .scheduled = last.id})->id.seq ==
        2);
  CHECK(worker.ask({"EXISTS", own}).integer == 0);
}

TEST_CASE_FIXTURE(Scheduling,
                  "a push that is repeated by its record, and was scheduled, has that outcome") {
  const auto added = add(1'000, "1", {.record = "0a1b", .collapse = {}, .scheduled = {}});
  const auto again = worker.push("alice", "1", {.record = "0a1b", .collapse = {}, .scheduled = {}});
  REQUIRE(again);
  CHECK(again->replayed);
  CHECK(again->scheduled == added.id);
  CHECK(read_after(0).count == 0);
}

TEST_CASE_FIXTURE(Scheduling, "what is no id leaves the index, and stops nothing") {
  REQUIRE(worker.ask({"ZADD", shared_keys(0).schedule, "1", "hello", "2", "alice.12", "-inf", ""})
              .ok());
  const auto added = add(0);
  CHECK(eventually([&] {
    const auto found = look();
    return found.due.size() == 1 && found.due[0].id == added.id;
  }));
  CHECK(eventually([&] { return index() == Texts{added.id}; }));
}

TEST_CASE_FIXTURE(Scheduling,
                  "if the index can't be written, no message is kept, and the error names it") {
  REQUIRE(worker.ask({"SET", shared_keys(0).schedule, "x"}).ok());
  const auto refused = try_add(1'000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::broken_data);
  CHECK(refused.error().message.find(shared_keys(0).schedule) != std::string::npos);
  CHECK(page().entries.empty());
  CHECK(try_look().error().code == Code::broken_data);
}

TEST_CASE_FIXTURE(Scheduling, "if a user's calendar is broken, that is said by its key") {
  REQUIRE(worker.ask({"RPUSH", own, "x"}).ok());
  for (const auto& error : {try_view("alice", "", 10).error(), try_add(1'000).error(),
                            cancel("alice.0123456789abcdef").error()}) {
    CHECK(error.code == Code::broken_data);
    CHECK(error.message.find(own) != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Scheduling, "an id that is taken is not given to another message") {
  const auto added = add(1'000);
  // All ids of that millisecond but a few are taken.
  const auto taken = ScheduledId::parse(added.id)->number;
  const std::string next =
      ScheduledId{"alice", added.at_ms, (taken + 1) % kIdsOfMillisecond}.text();
  REQUIRE(worker.ask({"HSET", own, next, "|0 {\"n\":1}"}).ok());
  const auto another = add(1'000);
  CHECK(another.id != next);
  CHECK(another.id != added.id);
  CHECK(page().entries.size() == 3);
}

TEST_CASE_FIXTURE(
    Scheduling,
    "a call that is repeated by its record gets its old outcome, and schedules nothing") {
  const PushOptions options{.record = "0a1b", .collapse = {}, .scheduled = {}};
  const auto first = add(1'000, "1", options);
  clock.pass(10);
  const auto again = add(1'000, "1", options);
  CHECK(again.id == first.id);
  CHECK(again.at_ms == first.at_ms);
  CHECK(again.replayed);
  CHECK(page().entries.size() == 1);
  CHECK(eventually([&] { return index().size() == 1; }));
  CHECK(life(pushed_key("alice", "0a1b")) > 0);
  CHECK(add_to({"bob"}, 1'000, "1", options).front()->id != first.id);
}

TEST_CASE_FIXTURE(Scheduling,
                  "a calendar lives as long as a mailbox after its last message is due") {
  const auto mailbox = static_cast<int64_t>(small_limits().life_ms);
  add(50'000);
  CHECK(life(own) > mailbox + 40'000);
  CHECK(life(own) <= mailbox + 50'000);
  add(10);
  CHECK(life(own) > mailbox + 40'000);
  CHECK(life(shared_keys(0).schedule) > static_cast<int64_t>(kDelayMostMs) + mailbox);
}

TEST_CASE_FIXTURE(Scheduling, "what too few replicas have is not said to be scheduled") {
  worker.on_loop([this] {
    worker.store.replicas().confirm_by(1, 100);
    return true;
  });
  const auto refused = try_add(1'000);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::store_unavailable);
}

TEST_CASE_FIXTURE(Scheduling,
                  "while Redis is away nothing is scheduled, shown, cancelled or found") {
  RedisLogin nowhere = server.login();
  nowhere.address = *RedisAddress::parse("127.0.0.1:1");
  RedisWorker cut_off(nowhere, clock, small_limits());
  RedisCalendar its(cut_off.redis, clock, small_limits(), cut_off.store.replicas());
  const std::string_view alice = "alice";
  const auto added = cut_off.await<std::vector<Or<Scheduled>>>([&](const auto& then) {
    its.add_each({&alice, 1}, make_element("mail", "1", 5, 0), in(1'000), {},
                 [then](const std::vector<Or<Scheduled>>& outcomes) { then(outcomes); });
  });
  CHECK(added.front().error().code == Code::store_unavailable);
  CHECK(cut_off.await<Or<ScheduledPage>>([&](const auto& then) { its.view(alice, "", 9, then); })
            .error()
            .code == Code::store_unavailable);
  CHECK(cut_off.await<Or<bool>>([&](const auto& then) { its.cancel("a.0123456789abcdef", then); })
            .error()
            .code == Code::store_unavailable);
  CHECK(cut_off.await<Or<Calendar::Look>>([&](const auto& then) { its.look(9, 9, then); })
            .error()
            .code == Code::store_unavailable);
  cut_off.halt();
}

}  // namespace
}  // namespace letterbox::test
