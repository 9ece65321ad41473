// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mailbox/merge_pages.h"
#include "mailbox/parted_presence.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

using Swept = PresenceStore::Swept;
using Texts = std::vector<std::string>;

struct Present {
  static constexpr size_t kParts = 3;
  Fakes<FakePresence> fakes{kParts};
  PartedPresence presence{fakes.as<PresenceStore>()};
  std::vector<Or<Swept>> swept;
  std::vector<Or<bool>> settled;

  void sweep(const std::vector<Or<Swept>>& answers) {
    presence.sweep([this](const Or<Swept>& answer) { swept.push_back(answer); });
    for (size_t part = 0; part < kParts; ++part) answer_oldest(fakes[part].sweeps, answers[part]);
  }
  void settle(const Texts& events) {
    presence.settle(events, [this](const Or<bool>& answer) { settled.push_back(answer); });
  }
  static Swept found(size_t gone, size_t waiting, Texts events) {
    return {.gone = gone, .waiting = waiting, .events = std::move(events)};
  }
  static PresentUser user(std::string name) {
    PresentUser user;
    user.name = std::move(name);
    return user;
  }
  static PresenceStore::Note note_of(std::string user, std::string client) {
    PresenceStore::Note note;
    note.user = std::move(user);
    note.client.name = std::move(client);
    return note;
  }
};

TEST_CASE_FIXTURE(Present, "clients are noted in the parts of their users") {
  const std::vector<PresenceStore::Note> notes{note_of(name_in(2, kParts, 0), "a"),
                                               note_of(name_in(0, kParts, 0), "b"),
                                               note_of(name_in(2, kParts, 1), "c")};
  std::vector<Or<bool>> told;
  presence.note(notes, [&](const Or<bool>& answer) { told.push_back(answer); });
  REQUIRE(fakes[2].batches.size() == 1);
  REQUIRE(fakes[2].batches[0].notes.size() == 2);
  CHECK(fakes[2].batches[0].notes[1].client.name == "c");
  CHECK(fakes[1].batches.empty());
  answer_oldest(fakes[2].batches, Or<bool>(true));
  CHECK(told.empty());
  answer_oldest(fakes[0].batches, Or<bool>(away()));
  REQUIRE(told.size() == 1);
  CHECK(told[0].error() == away());
}

TEST_CASE_FIXTURE(Present,
                  "a page has the first users of all parts, and counts all that are online") {
  std::vector<Or<PresencePage>> told;
  presence.page({.prefix = "u", .after = "u1", .limit = 2},
                [&](const Or<PresencePage>& page) { told.push_back(page); });
  for (size_t part = 0; part < kParts; ++part) {
    CHECK(fakes[part].pages.at(0).question.prefix == "u");
    CHECK(fakes[part].pages.at(0).question.after == "u1");
  }
  answer_oldest(fakes[0].pages, Or<PresencePage>(PresencePage{5, {user("u3"), user("u5")}, "u5"}));
  answer_oldest(fakes[1].pages, Or<PresencePage>(PresencePage{1, {user("u4")}, ""}));
  answer_oldest(fakes[2].pages, Or<PresencePage>(PresencePage{0, {}, ""}));
  REQUIRE(told.size() == 1);
  CHECK(told[0]->online == 6);
  REQUIRE(told[0]->users.size() == 2);
  CHECK(told[0]->users[0].name == "u3");
  CHECK(told[0]->users[1].name == "u4");
  CHECK(told[0]->next == "u4");
}

TEST_CASE_FIXTURE(Present, "a part that has more of a page than others is asked for the rest") {
  constexpr size_t kLimit = 40;
  const size_t share = share_of_page(kLimit, kParts);
  REQUIRE(share < kLimit);
  std::vector<Or<PresencePage>> told;
  presence.page({.limit = kLimit}, [&](const Or<PresencePage>& page) { told.push_back(page); });
  const auto answer = [&](PresencePage first) {
    answer_oldest(fakes[0].pages, Or<PresencePage>(std::move(first)));
    answer_oldest(fakes[1].pages, Or<PresencePage>(PresencePage{1, {}, ""}));
    answer_oldest(fakes[2].pages, Or<PresencePage>(PresencePage{1, {user("z")}, ""}));
  };
  CHECK(fakes[0].pages.at(0).question.limit == share);
  PresencePage first{.online = 50, .users = {}, .next = ""};
  for (size_t i = 1; i <= share; ++i) first.users.push_back(user("u" + std::to_string(10 + i)));
  first.next = first.users.back().name;
  answer(first);
  CHECK(told.empty());
  CHECK(fakes[1].pages.at(0).question.after == first.next);
  CHECK(fakes[1].pages.at(0).question.limit == kLimit - share);
  // (Some have gone offline meanwhile.)
  answer(PresencePage{.online = 48, .users = {user("u90")}, .next = "u91"});
  REQUIRE(told.size() == 1);
  CHECK(told[0]->online == 50);
  CHECK(told[0]->users.size() == share + 1);
  CHECK(told[0]->users.front().name == "u11");
  CHECK(told[0]->users.back().name == "u90");
  CHECK(told[0]->next == "u91");
}

TEST_CASE_FIXTURE(Present,
                  "one user is asked of the user's part, absences are those of all parts") {
  presence.user(name_in(1, kParts), [](const auto&) {});
  CHECK(fakes[1].users.size() == 1);
  fakes[0].was_away = 2;
  fakes[2].was_away = 3;
  CHECK(presence.absences() == 5);
}

TEST_CASE_FIXTURE(Present, "a sweep has the events of all parts, and sums") {
  sweep({found(1, 2, {"a1", "a2"}), found(2, 0, {}), found(3, 9, {"c1"})});
  REQUIRE(swept.size() == 1);
  CHECK(swept[0]->gone == 6);
  CHECK(swept[0]->waiting == 11);
  CHECK(swept[0]->events == Texts{"a1", "a2", "c1"});
}

TEST_CASE_FIXTURE(Present,
                  "events that were delivered are settled in the parts that they came from") {
  sweep({found(0, 0, {"x", "y"}), found(0, 0, {}), found(0, 0, {"x", "z"})});
  settle({"x", "y", "x"});
  CHECK(fakes[0].settlings.at(0).events == Texts{"x", "y"});
  CHECK(fakes[1].settlings.empty());
  CHECK(fakes[2].settlings.at(0).events == Texts{"x"});
  answer_oldest(fakes[0].settlings, Or<bool>(true));
  CHECK(settled.empty());
  answer_oldest(fakes[2].settlings, Or<bool>(true));
  REQUIRE(settled.size() == 1);
  CHECK(settled[0].value());
}

TEST_CASE_FIXTURE(Present, "a settlement that a part has not heard of is none") {
  sweep({found(0, 0, {"x"}), found(0, 0, {"y"}), found(0, 0, {})});
  settle({"x", "y"});
  answer_oldest(fakes[0].settlings, Or<bool>(true));
  answer_oldest(fakes[1].settlings, Or<bool>(away()));
  CHECK(settled.at(0).error() == away());
}

TEST_CASE_FIXTURE(Present, "each sweep begins with the events of another part") {
  const std::vector<Or<Swept>> all{found(0, 0, {"a"}), found(0, 0, {"b"}), found(0, 0, {"c"})};
  for (int i = 0; i < 3; ++i) sweep(all);
  CHECK(swept[0]->events == Texts{"a", "b", "c"});
  CHECK(swept[1]->events == Texts{"b", "c", "a"});
  settle({"c"});
  CHECK(fakes[2].settlings.size() == 1);
}

TEST_CASE_FIXTURE(Present, "what is too much for one sweep stays in its part") {
  const Texts many(PartedPresence::kEventsAtOnce - 1, "a");
  sweep({found(0, 0, many), found(0, 0, {"b", "c"}), found(0, 0, {"d"})});
  CHECK(swept[0]->events.size() == PartedPresence::kEventsAtOnce);
  CHECK(swept[0]->events.back() == "b");
  settle(swept[0]->events);
  CHECK(fakes[0].settlings.at(0).events == many);
  CHECK(fakes[1].settlings.at(0).events == Texts{"b"});
  CHECK(fakes[2].settlings.empty());
}

TEST_CASE_FIXTURE(Present, "a part that is away holds up no event of the others") {
  sweep({away(), found(1, 1, {"b"}), found(0, 0, {})});
  CHECK(swept[0]->events == Texts{"b"});
  settle({"b"});
  CHECK(fakes[1].settlings.size() == 1);
  sweep({away(), away(), away()});
  CHECK(swept[1].error() == away());
}

}  // namespace
}  // namespace letterbox::test
