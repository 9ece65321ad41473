// SPDX-License-Identifier: MIT
#include "redis/master_finder.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "tests/redis/eventually.h"
#include "tests/redis/fake_sentinel.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {
namespace {

constexpr int kOld = 7001;
constexpr int kNew = 7002;

// Three sentinels that know the same master, and a finder that asks them.
class Finding {
 public:
  Finding() : thread([this] { loop.run(); }) {
    login.address.master = "letters";
    for (const auto& sentinel : sentinels) {
      login.address.sentinels.push_back(sentinel->address());
    }
    loop.post([this] {
      finder = std::make_unique<MasterFinder>(loop, login, log, [this](const auto& master) {
        port = master ? master->port : 0;
        ++rounds;
      });
      finder->look();
    });
  }
  ~Finding() {
    loop.stop();
    thread.join();
    finder.reset();
  }
  Finding(const Finding&) = delete;
  Finding& operator=(const Finding&) = delete;

  bool finds(int wanted) {
    return eventually([&] { return port == wanted; });
  }
  // Whether the master stays the same for some rounds of the sentinels that answer.
  bool stays_at(int wanted) {
    const int until = rounds + 4;
    return eventually([&] { return rounds >= until || port != wanted; }) && port == wanted;
  }

  SystemClock clock;
  Log log{"test", silence(), Log::Level::info};
  RedisLogin login;
  std::vector<std::unique_ptr<FakeSentinel>> sentinels = three();
  Loop loop{clock};
  std::unique_ptr<MasterFinder> finder;
  std::atomic<int> port{-1};
  std::atomic<int> rounds{0};
  std::thread thread;

 private:
  static std::vector<std::unique_ptr<FakeSentinel>> three() {
    std::vector<std::unique_ptr<FakeSentinel>> all;
    all.reserve(3);
    for (int i = 0; i < 3; ++i) all.push_back(std::make_unique<FakeSentinel>(kOld, 4));
    return all;
  }
};

TEST_CASE_FIXTURE(Finding, "the sentinel that knows of a later failover is followed at once") {
  REQUIRE(finds(kOld));
  sentinels[1]->say(kNew, 5);
  CHECK(finds(kNew));
  CHECK(stays_at(kNew));
}

TEST_CASE_FIXTURE(
    Finding, "a stale sentinel that is the only one left does not lead back to the old master") {
  sentinels[0]->say(kNew, 5);
  sentinels[1]->say(kNew, 5);
  REQUIRE(finds(kNew));
  sentinels[0]->cut_off();
  sentinels[1]->cut_off();
  const int asked = sentinels[2]->asked();
  CHECK(stays_at(kNew));
  CHECK(sentinels[2]->asked() > asked);
  sentinels[0]->cut_off(false);
  sentinels[0]->say(kOld, 6);  // the news
  CHECK(finds(kOld));
}

TEST_CASE_FIXTURE(
    Finding, "if no sentinel answers there is no master, and one that answers brings it back") {
  REQUIRE(finds(kOld));
  for (const auto& sentinel : sentinels) sentinel->cut_off();
  REQUIRE(finds(0));
  sentinels[2]->cut_off(false);
  CHECK(finds(kOld));
}

TEST_CASE_FIXTURE(Finding,
                  "sentinels that were reset to another master are believed as a majority") {
  REQUIRE(finds(kOld));
  sentinels[0]->say(kNew, 0);
  sentinels[1]->say(kNew, 0);
  CHECK(stays_at(kOld));  // the third confirms it
  sentinels[2]->cut_off();
  CHECK(finds(kNew));
}

}  // namespace
}  // namespace letterbox::test
