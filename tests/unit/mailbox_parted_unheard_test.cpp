// SPDX-License-Identifier: MIT
//
// The webhook's entries and the probes of a cluster.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "mailbox/parted_probe.h"
#include "mailbox/parted_unheard.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

// Entries that are due, which are leased at once, and once each.
class FakeUnheard final : public Unheard {
 public:
  void lease(size_t most, Then<Leased> then) override {
    asked.push_back(most);
    if (is_away) return then(away());
    Leased leased;
    for (; due > 0 && leased.entries.size() < most; --due) {
      leased.entries.push_back({name, "alice", {}, 1});
    }
    leased.waiting = due + 10;
    leased.dropped = std::exchange(dropped, 0);
    then(std::move(leased));
  }
  void look(const UnheardEntry& entry, Then<std::optional<std::string>>) override {
    calls += "look " + entry.text + ";";
  }
  void remove(const UnheardEntry& entry) override { calls += "remove " + entry.text + ";"; }
  void put_off(const UnheardEntry& entry, uint64_t ms) override {
    calls += "put off " + entry.text + " " + std::to_string(ms) + ";";
  }

  std::string name;
  size_t due = 0;
  size_t dropped = 0;
  bool is_away = false;
  std::vector<size_t> asked;
  std::string calls;
};

struct Hooked {
  static constexpr size_t kParts = 6;
  Fakes<FakeUnheard> fakes{kParts};
  PartedUnheard unheard{fakes.as<Unheard>()};

  Hooked() {
    for (size_t part = 0; part < kParts; ++part) fakes[part].name = std::to_string(part);
  }
  Or<Unheard::Leased> lease(size_t most) {
    std::vector<Or<Unheard::Leased>> told;
    unheard.lease(most, [&](const auto& leased) { told.push_back(leased); });
    REQUIRE(told.size() == 1);
    return told[0];
  }
  size_t all_due() {
    size_t sum = 0;
    for (size_t part = 0; part < kParts; ++part) sum += fakes[part].due;
    return sum;
  }
};

TEST_CASE_FIXTURE(
    Hooked, "entries are leased from all parts, no more than are wanted, and all that are due") {
  std::mt19937 chance(1529);
  for (int round = 0; round < 500; ++round) {
    CAPTURE(round);
    for (size_t part = 0; part < kParts; ++part) {
      if (chance() % 3 == 0) fakes[part].due += chance() % 9;
    }
    const size_t most = 1 + chance() % 16;
    const size_t due = all_due();
    const auto leased = lease(most);
    CHECK(leased->entries.size() == std::min(most, due));
    CHECK(all_due() == due - leased->entries.size());
  }
}

TEST_CASE_FIXTURE(Hooked, "if few are wanted, it is each part's turn") {
  for (size_t part = 0; part < kParts; ++part) fakes[part].due = 100;
  std::vector<std::string> turns;
  for (size_t i = 0; i < kParts; ++i) turns.push_back(lease(1)->entries.at(0).text);
  CHECK(turns == std::vector<std::string>{"0", "1", "2", "3", "4", "5"});
  const auto more = lease(kParts);
  for (size_t part = 0; part < kParts; ++part) CHECK(fakes[part].due == 98);
  CHECK(more->entries.size() == kParts);
}

TEST_CASE_FIXTURE(
    Hooked, "what waits and was dropped is counted in all parts, also in those not asked now") {
  for (size_t part = 0; part < kParts; ++part) fakes[part].dropped = 2;
  auto leased = lease(3);
  CHECK(leased->waiting == 60);
  CHECK(leased->dropped == 12);
  fakes[0].due = 5;
  leased = lease(1);
  CHECK(leased->entries.size() == 1);
  CHECK(leased->waiting == 64);
  for (size_t part = 1; part < kParts; ++part) fakes[part].due = 5;
  CHECK(lease(1)->waiting == 68);
}

TEST_CASE_FIXTURE(Hooked, "a part that is away holds up no entry of the others") {
  fakes[2].is_away = true;
  fakes[3].due = 1;
  CHECK(lease(4)->entries.size() == 1);
  for (size_t part = 0; part < kParts; ++part) fakes[part].is_away = true;
  CHECK(lease(4).error() == away());
}

TEST_CASE_FIXTURE(Hooked, "an entry is looked at, removed and put off in its user's part") {
  const UnheardEntry entry{.text = "entry", .user = name_in(4, kParts), .id = {}};
  unheard.look(entry, [](const auto&) {});
  unheard.remove(entry);
  unheard.put_off(entry, 7);
  CHECK(fakes[4].calls == "look entry;remove entry;put off entry 7;");
}

// --- probes ------------------------------------------------------------------------------------

class FakeProbe final : public Probe {
 public:
  void ask(Then then) override { asked.push_back(std::move(then)); }
  std::deque<Then> asked;
};

TEST_CASE("a cluster takes writes when all its parts have taken one") {
  Fakes<FakeProbe> fakes(3);
  PartedProbe probe(fakes.as<Probe>());
  std::vector<std::string> told;
  probe.ask([&](const std::string& trouble) { told.push_back(trouble); });
  fakes[2].asked.at(0)("");
  fakes[0].asked.at(0)("");
  CHECK(told.empty());
  fakes[1].asked.at(0)("");
  CHECK(told == std::vector<std::string>{""});
}

TEST_CASE("a trouble that several parts have is told once, with their number") {
  CHECK(whole_trouble({"", "", ""}).empty());
  CHECK(whole_trouble({"", "away: b", "away: a", "away: b"}) ==
        "2 of 4 parts: away: b; 1 of 4 parts: away: a");
}

}  // namespace
}  // namespace letterbox::test
