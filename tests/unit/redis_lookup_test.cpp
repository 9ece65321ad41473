// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "redis/lookup.h"
#include "tests/unit/fake_name_server.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

// A name server that knows every name except one.
Resolver knows(int last_byte) {
  return [last_byte](const std::string& host) -> Hosts {
    if (host == "nowhere") return "no such host";
    return std::vector<std::string>{"10.0.0." + std::to_string(last_byte), "::1"};
  };
}

struct LookupOnLoop {
  ~LookupOnLoop() {
    here.halt();
    lookup.reset();
    server.hang(false);
  }
  // What was found, "; " after each: addresses, or an error.
  std::string found() {
    std::string text;
    here.on_loop([&] { text = all; });
    return text;
  }
  bool finds(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (found() != text) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void find(const std::string& host) {
    here.on_loop([&] {
      lookup->find(host, 2000, [this](const Hosts& hosts) {
        if (!hosts) all += hosts.error();
        if (hosts) {
          for (const auto& one : *hosts) all += one + " ";
        }
        all += "; ";
      });
    });
  }
  bool is_asked(int times) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (server.asked() != times) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  FakeNameServer server{knows(1)};
  Resolver resolver = server.resolver();
  LoopThread here;
  std::string all;  // of the loop's thread
  std::unique_ptr<Lookup> lookup = std::make_unique<Lookup>(here.loop, resolver);
};

const std::string kLate = "no name server has said in time where redis is; ";

TEST_CASE_FIXTURE(LookupOnLoop, "a name is looked up on a thread, each time again") {
  find("redis");
  REQUIRE(finds("10.0.0.1 ::1 ; "));
  server.knows(knows(2));
  find("redis");
  CHECK(finds("10.0.0.1 ::1 ; 10.0.0.2 ::1 ; "));
  find("nowhere");
  CHECK(finds("10.0.0.1 ::1 ; 10.0.0.2 ::1 ; no such host; "));
  CHECK(server.asked() == 3);
}

TEST_CASE_FIXTURE(LookupOnLoop,
                  "a numeric address is its own answer, at once, and no name server is asked") {
  server.hang();
  find("127.0.0.1");
  CHECK(found() == "127.0.0.1 ; ");
  find("fe80::1");
  CHECK(found() == "127.0.0.1 ; fe80::1 ; ");
  CHECK(server.asked() == 0);
}

TEST_CASE_FIXTURE(LookupOnLoop,
                  "a lookup that hangs fails when patience ends, and the loop goes on") {
  server.hang();
  find("redis");
  here.pass(1999);
  CHECK(found().empty());
  here.pass(1);
  CHECK(found() == kLate);
}

TEST_CASE_FIXTURE(
    LookupOnLoop,
    "an answer that comes late serves the next attempt, and one thread hangs at a time") {
  server.hang();
  std::string told;
  for (int attempt = 0; attempt < 5; ++attempt) {
    find("redis");
    here.pass(2000);
    told += kLate;
  }
  CHECK(found() == told);
  CHECK(is_asked(1));
  find("redis");
  server.hang(false);
  CHECK(finds(told + "10.0.0.1 ::1 ; "));
  CHECK(server.asked() == 1);

  // Also one that comes while no attempt waits; but it serves one attempt alone.
  server.hang();
  find("redis");
  here.pass(2000);
  REQUIRE(is_asked(2));
  server.hang(false);
  told += "10.0.0.1 ::1 ; " + kLate;
  REQUIRE(finds(told));
  for (int again = 0; again < 2; ++again) {
    find("redis");
    told += "10.0.0.1 ::1 ; ";
    CHECK(finds(told));
  }
  CHECK(server.asked() == 3);
}

TEST_CASE_FIXTURE(
    LookupOnLoop,
    "another name does not wait for the one that hangs, and does not get its answer") {
  server.hang();
  find("redis");
  find("nowhere");
  CHECK(is_asked(2));
  server.hang(false);
  CHECK(finds("no such host; "));
}

TEST_CASE_FIXTURE(
    LookupOnLoop,
    "a lookup that is cancelled or destroyed is told nothing, and waits for no thread") {
  server.hang();
  find("redis");
  here.on_loop([&] { lookup->cancel(); });
  here.pass(10'000);
  find("redis");
  here.on_loop([&] { lookup.reset(); });
  server.hang(false);
  here.pass(10'000);
  CHECK(found().empty());
}

TEST_CASE("the system resolver gives each address of localhost once, and an error for a bad name") {
  const Hosts hosts = resolve_by_system("localhost");
  REQUIRE(hosts);
  for (const auto& host : *hosts) {
    CHECK((host == "127.0.0.1" || host == "::1"));
    CHECK(std::count(hosts->begin(), hosts->end(), host) == 1);
  }
  CHECK_FALSE(resolve_by_system("no such name"));
}

}  // namespace
}  // namespace letterbox::test
