// SPDX-License-Identifier: MIT
//
// A long random walk through the waiting room. Pushes, reads, rings, ticks, comings and goings
// happen in any order and anything may fail; the promises of the room must hold in every case. The
// seeds are fixed, and a failure prints its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/fake_mailbox.h"
#include "tests/unit/fake_waiting.h"

namespace letterbox::test {
namespace {

// The ids in an answer.
std::vector<Cursor> ids_in(const std::string& json) {
  std::vector<Cursor> ids;
  constexpr std::string_view kId = R"("id":")";
  for (size_t at = json.find(kId); at != std::string::npos; at = json.find(kId, at)) {
    at += kId.size();
    ids.push_back(Cursor::parse(json.substr(at, json.find('"', at) - at)).value());
  }
  return ids;
}

class Walk {
 public:
  explicit Walk(unsigned seed) : chance_(seed) {
    for (const char* user : {"alice", "bob", "carol"}) {
      mailboxes_.emplace(user, FakeMailbox(8));
      for (const char* name : {"tab", "phone"}) clients_.push_back({user, name, true});
      clients_.push_back({user, "script", false});
    }
  }

  // Everything happens on the room's loop, so that its timers fire in between.
  void run(int rounds) {
    rounds_left_ = rounds;
    room_.loop.post([this] { turn(); });
    room_.loop.run();
  }

  size_t polls() const { return entered_; }

 private:
  struct Client {
    std::string user;
    std::string name;
    bool by_cursor;
    Cursor after = {};            // of a client with a cursor
    size_t asked = 0;             // number of polls, with any cursor
    std::set<Cursor> given = {};  // to a client without one
  };
  struct Asked {
    Client* client;
    Cursor after;
    std::shared_ptr<Heard> heard;
    bool superseded = false;
  };
  using Deliver = Callback<void()>;

  static constexpr int kStepsARound = 150;
  static constexpr int kTurnsToSettle = 4;

  bool one_in(unsigned n) { return chance_() % n == 0; }
  size_t below(size_t n) { return chance_() % n; }
  template <class List>
  auto take_any(List& list) {
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(below(list.size()));
    auto taken = std::move(*at);
    list.erase(at);
    return taken;
  }
  FakeMailbox& any_mailbox() {
    return std::next(mailboxes_.begin(), static_cast<std::ptrdiff_t>(below(mailboxes_.size())))
        ->second;
  }

  void turn() {
    if (settling_ > 0) {
      settle();
      if (--settling_ == 0) nobody_waits_for_what_is_there();
    } else if (rounds_left_ > 0) {
      for (int i = 0; i < kStepsARound; ++i) step();
      settling_ = kTurnsToSettle;
      --rounds_left_;
    } else {
      close();
      room_.loop.stop();
      return;
    }
    room_.loop.post([this] { turn(); });
  }

  // --- what may happen -------------------------------------------------------------------------

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
        any_mailbox().push(one_in(6), !one_in(5));
        if (one_in(4)) any_mailbox().collapse(chance_());
        break;
      case 2:
      case 3:
        poll(clients_[below(clients_.size())]);
        break;
      case 4:
      case 5:
        work_of_the_store(one_in(30));
        break;
      case 6:
      case 7:
        if (!replies_.empty()) take_any(replies_)();
        break;
      case 8:
        take_rings();
        break;
      case 9:
        ring_one();
        break;
      case 10:
        room_.tick_after(below(one_in(20) ? 8'000 : 60));
        break;
      default:
        seldom();
    }
    look_at_answers();
  }

  void seldom() {
    switch (below(40)) {
      case 0:
        lanes_down_ = true;
        for (auto& [user, rings] : on_their_way_) rings.clear();  // popped, and lost
        break;
      case 1:
        lanes_come_up();
        break;
      case 2:
        any_mailbox().remove();
        break;
      case 3:
      case 4:
        any_mailbox().list.emplace_back("by hand");
        break;
      case 5:
      case 6:
        if (!open_.empty()) open_[below(open_.size())].heard->leave();
        break;
      default:
        break;
    }
  }

  void poll(Client& client) {
    for (auto& asked : open_) {
      if (asked.client != &client || asked.superseded) continue;
      if (!one_in(8)) return;  // waits; but sometimes the client has lost its connection
      asked.superseded = true;
    }
    // A client that asks for the same again and again within a second is held back, and may wait.
    if (++client.asked % 3 == 0) room_.clock.pass(1'000);
    Question question;
    question.user = client.user;
    question.client = client.name;
    question.by_cursor = client.by_cursor;
    if (client.by_cursor) question.after = client.after;
    question.foreign = client.by_cursor && one_in(40);
    if (question.foreign) question.after = {};
    question.limit = one_in(3) ? 1 + below(3) : 100;
    question.timeout_ms = one_in(10) ? 0 : 500 + below(3'000);
    const Cursor after = question.after;
    ++entered_;
    open_.push_back({&client, after, room_.enter(std::move(question))});
  }

  // The store carries out one of its calls; the answer takes its time.
  void work_of_the_store(bool fails) {
    auto& store = room_.store;
    if (!store.reads.empty() && !one_in(3)) {
      auto read = take_any(store.reads);
      // If it fails the room can't know whether the call was carried out.
      const Or<Reading> reading = mailboxes_.at(read.user).read(read);
      replies_.emplace_back([fails, reading, read = std::move(read)] {
        read.then(fails ? Or<Reading>(away()) : reading);
      });
    } else if (!store.peeks.empty() && !one_in(3)) {
      auto peek = take_any(store.peeks);
      Store::Glimpses seen;
      for (const auto& [user, name] : peek.clients) {
        seen.push_back(one_in(10) ? std::nullopt : glimpse(mailboxes_.at(user), name));
        if (seen.back() && peek.lists) seen.back()->raw = mailboxes_.at(user).has_raw();
      }
      replies_.emplace_back([fails, seen = std::move(seen), peek = std::move(peek)] {
        peek.then(fails ? Or<Store::Glimpses>(away()) : Or<Store::Glimpses>(seen));
      });
    } else if (!store.notes.empty()) {
      auto note = take_any(store.notes);
      replies_.emplace_back([fails, note = std::move(note)] {
        note.then(fails ? Or<Reading>(away()) : Or<Reading>(Reading{}));
      });
    } else if (!store.adoptions.empty()) {
      auto adoption = take_any(store.adoptions);
      if (!fails) mailboxes_.at(adoption.user).push(false, true);
      replies_.emplace_back([fails, adoption = std::move(adoption)] {
        adoption.then(fails ? Or<Pushed>(away()) : Or<Pushed>(Pushed{}));
      });
    } else if (!store.adoptions_of_all.empty()) {
      auto adoption = take_any(store.adoptions_of_all);
      auto& mailbox = mailboxes_.at(adoption.user);
      while (!fails && !mailbox.list.empty() && mailbox.list.front()[0] != '\x01') {
        mailbox.list.pop_front();
        mailbox.push(false, true);
      }
      replies_.emplace_back([fails, adoption = std::move(adoption)] {
        adoption.then(fails ? Or<bool>(away()) : Or<bool>(true));
      });
    }
  }

  // A look finds all that is noted, or nothing.
  std::optional<Glimpse> glimpse(FakeMailbox& mailbox, const std::string& client) {
    Glimpse seen = mailbox.peek(client);
    if (one_in(4)) return seen;
    seen.noted = true;
    seen.watch_until = seen.park_until = UINT64_MAX / 2;
    return seen;
  }

  // Lanes pop rings; now and then a lane does that has not yet heard that it no longer must.
  void take_rings() {
    if (lanes_down_) return;
    for (auto& [user, mailbox] : mailboxes_) {
      if (mailbox.list.empty() || !(room_.bells.watches(user) || one_in(30))) continue;
      on_their_way_[user].push_back(std::move(mailbox.list.front()));
      mailbox.list.pop_front();
    }
  }
  void ring_one() {
    for (auto& [user, rings] : on_their_way_) {
      if (rings.empty() || one_in(2)) continue;
      const std::string element = std::move(rings.front());
      rings.pop_front();
      room_.rung(element, user);
      return;
    }
  }
  void lanes_come_up() {
    if (std::exchange(lanes_down_, false)) {
      room_.room.missed_rings(room_.desk, {"alice", "bob", "carol"});
    }
  }

  // --- what must hold --------------------------------------------------------------------------

  // Everything on its way arrives.
  void settle() {
    lanes_come_up();
    auto& store = room_.store;
    const auto busy = [&] {
      return !store.reads.empty() || !store.peeks.empty() || !store.notes.empty() ||
             !store.adoptions.empty() || !store.adoptions_of_all.empty() || !replies_.empty() ||
             std::any_of(on_their_way_.begin(), on_their_way_.end(),
                         [](const auto& rings) { return !rings.second.empty(); }) ||
             std::any_of(mailboxes_.begin(), mailboxes_.end(), [this](const auto& mailbox) {
               return room_.bells.watches(mailbox.first) && !mailbox.second.list.empty();
             });
    };
    while (busy()) {
      work_of_the_store(false);
      while (!replies_.empty()) take_any(replies_)();
      take_rings();
      ring_one();
    }
    look_at_answers();
    room_.clock.pass(700);  // for what is tried again after a pause
  }

  void nobody_waits_for_what_is_there() {
    for (const auto& asked : open_) {
      const Client& client = *asked.client;
      if (asked.superseded) continue;
      CAPTURE(client.user);
      CAPTURE(client.name);
      CAPTURE(asked.after.text());
      const auto& mailbox = mailboxes_.at(client.user);
      CHECK_FALSE(
          (client.by_cursor ? mailbox.has_more(asked.after) : mailbox.has_more(client.name)));
      CHECK(room_.bells.watches(client.user));
    }
  }

  void look_at_answers() {
    std::erase_if(open_, [this](const Asked& asked) {
      if (!asked.heard->here) {
        CHECK(asked.heard->count() == 0);
        gone_.push_back(asked.heard);
        return true;
      }
      if (asked.heard->count() == 0) return false;
      CHECK(asked.heard->count() == 1);
      answered_.push_back(asked.heard);
      if (!asked.heard->answers.empty()) look_at(asked, asked.heard->answers.front());
      return true;
    });
  }

  void look_at(const Asked& asked, const std::string& json) {
    CAPTURE(json);
    CAPTURE(asked.after.text());
    Client& client = *asked.client;
    const Cursor cursor = Cursor::parse(field(json, "cursor")).value();
    const auto ids = ids_in(json);
    CHECK(std::to_string(ids.size()) == field(json, "count"));
    CHECK((field(json, "reason") == "messages") == !ids.empty());
    CHECK(std::is_sorted(ids.begin(), ids.end()));
    if (client.by_cursor) {
      nothing_is_skipped(asked, json, cursor, ids);
    } else {
      for (const auto& message : ids) CHECK(client.given.insert(message).second);
    }
    // Sometimes an answer is lost on its way: the client asks with its old cursor again.
    if (!ids.empty() && !one_in(10)) client.after = cursor;
    if (field(json, "reset") == "true") client.after = cursor;
  }

  void nothing_is_skipped(const Asked& asked, const std::string& json, const Cursor& cursor,
                          const std::vector<Cursor>& ids) {
    const Cursor& after = asked.after;
    const bool reset = field(json, "reset") == "true";
    const bool from_there = !reset && after != Cursor{};
    if (from_there) {
      CHECK(cursor.epoch == after.epoch);
      CHECK(cursor.seq - after.seq == ids.size() + std::stoull(field(json, "missed")) +
                                          std::stoull(field(json, "collapsed")));
    }
    const std::set<Cursor> got(ids.begin(), ids.end());
    CHECK(got.size() == ids.size());
    const auto& mailbox = mailboxes_.at(asked.client->user);
    for (uint64_t seq = from_there ? after.seq + 1 : 1; seq <= cursor.seq; ++seq) {
      CAPTURE(seq);
      const Cursor at{cursor.epoch, seq};
      CHECK((got.contains(at) || mailbox.is_lost(at) || mailbox.is_collapsed(at)));
    }
  }

  void close() {
    room_.room.close(room_.desk);
    settle();
    CHECK(open_.empty());
    for (const auto& heard : answered_) CHECK(heard->count() == 1);
    for (const auto& heard : gone_) CHECK(heard->count() == 0);
    CHECK(answered_.size() + gone_.size() == entered_);
    CHECK(room_.room.size() == 0);
    uint64_t ended = 0;
    for (size_t reason = 0; reason < kReasons; ++reason) {
      ended += room_.room.ended(static_cast<Reason>(reason));
    }
    CHECK(ended == entered_);
    CHECK(room_.room.ended(Reason::gone) == gone_.size());
    room_.tick_after(500);
    room_.tick_after(5'000);
    CHECK(room_.bells.size() == 0);
  }

  std::mt19937 chance_;
  FakeWaiting room_;
  std::map<std::string, FakeMailbox> mailboxes_;
  std::vector<Client> clients_;
  std::vector<Asked> open_;
  std::vector<std::shared_ptr<Heard>> answered_;
  std::vector<std::shared_ptr<Heard>> gone_;
  std::vector<Deliver> replies_;                                 // of the store, on their way
  std::map<std::string, std::deque<std::string>> on_their_way_;  // rings
  bool lanes_down_ = false;
  size_t entered_ = 0;
  int rounds_left_ = 0;
  int settling_ = 0;
};

TEST_CASE("in any order of events no poll waits for a message that is there, and none is skipped") {
  size_t polls = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Walk walk(seed);
    walk.run(60);
    polls += walk.polls();
  }
  CHECK(polls > 10'000);
}

}  // namespace
}  // namespace letterbox::test
