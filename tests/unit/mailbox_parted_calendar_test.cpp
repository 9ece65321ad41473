// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "mailbox/parted_calendar.h"
#include "model/scheduled_id.h"
#include "tests/unit/fake_calendar.h"
#include "tests/unit/fake_presence.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/parts_of.h"

namespace letterbox::test {
namespace {

struct Scheduling {
  static constexpr size_t kParts = 4;
  static constexpr size_t kMost = 6;
  Fakes<FakeCalendar> fakes{kParts};
  PartedCalendar calendar{fakes.as<Calendar>()};
  std::vector<Or<Calendar::Look>> looks;

  // Returns which parts were asked.
  std::vector<size_t> look(const std::vector<Or<Calendar::Look>>& answers) {
    calendar.look(kMost, 250, [this](const auto& found) { looks.push_back(found); });
    std::vector<size_t> parts;
    for (size_t part = 0; part < kParts; ++part) {
      if (fakes[part].looks.empty()) continue;
      parts.push_back(part);
      CHECK(fakes[part].looked_ahead_ms == 250);
      answer_oldest(fakes[part].looks, answers[part]);
    }
    return parts;
  }
  std::vector<size_t> asked() {
    std::vector<size_t> most;
    for (size_t part = 0; part < kParts; ++part) most.push_back(fakes[part].looked_most);
    return most;
  }
  static std::string id(size_t part, uint64_t at_ms = 1000) {
    return ScheduledId{name_in(part, kParts), at_ms, 0}.text();
  }
  static Calendar::Due due(size_t part, uint64_t at_ms) {
    return {.id = id(part, at_ms), .at_ms = at_ms, .message = ScheduledMessage{"0 {}", ""}};
  }
  // For its time, and long.
  static Calendar::Look nothing() { return {.waiting = 1}; }
};

TEST_CASE_FIXTURE(Scheduling,
                  "a message for many users is kept in their parts, answered in their order") {
  const std::vector<std::string> names{name_in(3, kParts, 0), name_in(1, kParts, 0),
                                       name_in(3, kParts, 1)};
  const std::vector<std::string_view> users(names.begin(), names.end());
  std::vector<Or<Scheduled>> told;
  calendar.add_each(users, "0 {}", 77, {.record = "r"},
                    [&](const auto& outcomes) { told = outcomes; });
  CHECK(fakes[3].additions.at(0).users == std::vector<std::string>{names[0], names[2]});
  CHECK(fakes[3].additions.at(0).at_ms == 77);
  CHECK(fakes[1].additions.at(0).options.record == "r");
  answer_oldest(fakes[3].additions, std::vector<Or<Scheduled>>{Scheduled{.id = "a"}, away()});
  CHECK(told.empty());
  answer_oldest(fakes[1].additions, std::vector<Or<Scheduled>>{Scheduled{.id = "b"}});
  REQUIRE(told.size() == 3);
  CHECK(told[0]->id == "a");
  CHECK(told[1]->id == "b");
  CHECK(told[2].error() == away());
}

TEST_CASE_FIXTURE(Scheduling,
                  "a user's messages are shown by the user's part, and cancelled there") {
  calendar.view(name_in(2, kParts), "", 5, [](const auto&) {});
  calendar.cancel(id(2), [](const auto&) {});
  CHECK(fakes[2].views.size() == 1);
  CHECK(fakes[2].cancellings.at(0).id == id(2));
}

TEST_CASE_FIXTURE(Scheduling,
                  "a look has what is due in all parts, the earliest first, and the sums") {
  look({Calendar::Look{.due = {due(0, 30)}, .waiting = 3},
        Calendar::Look{.due = {due(1, 10)}, .next_ms = 900, .waiting = 1}, Calendar::Look{},
        Calendar::Look{.next_ms = 800, .waiting = 5}});
  REQUIRE(looks.size() == 1);
  REQUIRE(looks[0]->due.size() == 2);
  CHECK(looks[0]->due[0].at_ms == 10);
  CHECK(looks[0]->due[1].at_ms == 30);
  CHECK(looks[0]->next_ms == 800);
  CHECK(looks[0]->waiting == 9);
  CHECK_FALSE(looks[0]->more);
}

TEST_CASE_FIXTURE(Scheduling,
                  "a part that has more is asked for more, and those that have share the most") {
  look({nothing(), Calendar::Look{.due = {due(1, 10)}, .more = true}, nothing(), nothing()});
  CHECK(asked() == std::vector<size_t>{1, 1, 1, 1});
  CHECK(looks[0]->more);
  look({Calendar::Look{.due = {due(0, 10)}, .more = true},
        Calendar::Look{.due = {due(1, 10)}, .more = true}, nothing(), nothing()});
  CHECK(asked() == std::vector<size_t>{1, kMost, 1, 1});
  look({nothing(), nothing(), nothing(), nothing()});
  CHECK(asked() == std::vector<size_t>{kMost / 2, kMost / 2, 1, 1});
  look({nothing(), nothing(), nothing(), nothing()});
  CHECK(asked() == std::vector<size_t>{1, 1, 1, 1});
}

TEST_CASE_FIXTURE(Scheduling,
                  "an empty part is asked by every third look, and the others by each") {
  const std::vector<Or<Calendar::Look>> found{Calendar::Look{}, nothing(), Calendar::Look{},
                                              away()};
  const std::vector<size_t> all{0, 1, 2, 3};
  CHECK(look(found) == all);
  std::vector<size_t> times(kParts);
  for (int i = 0; i < 6; ++i) {
    for (const size_t part : look(found)) ++times[part];
  }
  CHECK(times == std::vector<size_t>{2, 6, 2, 6});
  for (int i = 0; i < 3; ++i) look({nothing(), nothing(), nothing(), nothing()});
  CHECK(look(found) == all);
}

TEST_CASE_FIXTURE(Scheduling, "what is over the most of a look is left to the next one") {
  Calendar::Look many;
  for (uint64_t at = 0; at < kMost; ++at) many.due.push_back(due(2, 100 + at));
  look(
      {Calendar::Look{.due = {due(0, 99)}}, Calendar::Look{.due = {due(1, 999)}}, many, nothing()});
  REQUIRE(looks[0]->due.size() == kMost);
  CHECK(looks[0]->due.front().at_ms == 99);
  CHECK(looks[0]->due.back().at_ms == 100 + kMost - 2);
  CHECK(looks[0]->more);
}

TEST_CASE_FIXTURE(Scheduling, "a part that is away holds up no message of the others") {
  look({away(), Calendar::Look{.due = {due(1, 10)}}, nothing(), nothing()});
  REQUIRE(looks[0]);
  CHECK(looks[0]->due.size() == 1);
  look({away(), away(), away(), away()});
  CHECK(looks[1].error() == away());
}

TEST_CASE_FIXTURE(Scheduling, "ids are settled in their parts, and no other part is asked") {
  const std::vector<std::string> gone{id(0), id(3), id(0, 2000)};
  const std::vector<Calendar::Postponed> postponed{{id(3, 3000), 5}, {id(1), 6}};
  std::vector<Or<bool>> told;
  calendar.settle(gone, postponed, [&](const Or<bool>& answer) { told.push_back(answer); });
  CHECK(fakes[0].settlings.at(0).gone == std::vector<std::string>{id(0), id(0, 2000)});
  CHECK(fakes[0].settlings.at(0).postponed.empty());
  CHECK(fakes[3].settlings.at(0).gone == std::vector<std::string>{id(3)});
  CHECK(fakes[3].settlings.at(0).postponed.at(0).id == id(3, 3000));
  CHECK(fakes[1].settlings.at(0).postponed.at(0).until_ms == 6);
  CHECK(fakes[2].settlings.empty());
  answer_oldest(fakes[0].settlings, Or<bool>(true));
  answer_oldest(fakes[1].settlings, Or<bool>(away()));
  CHECK(told.empty());
  answer_oldest(fakes[3].settlings, Or<bool>(true));
  CHECK(told.at(0).error() == away());
}

}  // namespace
}  // namespace letterbox::test
