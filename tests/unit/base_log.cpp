// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/fake_clock.h"

namespace letterbox {
namespace {

using namespace std::literals;

// 2026-11-21T20:18:03.007Z
constexpr uint64_t kTime = 1795292283007;

std::string line(std::string_view text) {
  return Log::line(kTime, "letterbox-poll", Log::Level::info, text);
}

class TemporaryFolder {
 public:
  TemporaryFolder() { REQUIRE(mkdtemp(path_) != nullptr); }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return std::string(path_) + '/' + name; }

 private:
  char path_[32] = "/tmp/letterbox-test-XXXXXX";
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string text; std::getline(file, text);) lines.push_back(text);
  return lines;
}

TEST_CASE("a line says when, which program, how bad and what") {
  CHECK(line("ready") == "2026-11-21T20:18:03.007Z letterbox-poll info: ready\n");
  CHECK(Log::line(0, "p", Log::Level::error, "") == "1970-01-01T00:00:00.000Z p error: \n");
  CHECK(Log::line(951782400999, "p", Log::Level::warn, "x") ==
        "2000-02-29T00:00:00.999Z p warn: x\n");
}

TEST_CASE("no byte of a text ends its line or steers a terminal") {
  const std::string head = line("").substr(0, line("").size() - 1);
  CHECK(line("a\nb\r\tc") == head + "a\\nb\\r\\tc\n");
  CHECK(line("\0\x1B[31m\x7F"sv) == head + "\\x00\\x1b[31m\\x7f\n");
  CHECK(line("caf\xC3\xA9 \xF0\x9F\x98\x80") == head + "caf\xC3\xA9 \xF0\x9F\x98\x80\n");
  CHECK(line("\xC2\x9B"
             "31m\xC2\xA0") == head + "\\xc2\\x9b31m\xC2\xA0\n");
  CHECK(line("\xC3\xA9\xFF\xC2") == head + "\\xc3\\xa9\\xff\\xc2\n");  // not UTF-8: all escaped
}

TEST_CASE("a line is never longer than what a pipe takes at once") {
  const std::string cut = line(std::string(100'000, 'x'));
  CHECK(cut.size() == PIPE_BUF);
  CHECK(cut.ends_with("x...\n"));
  for (size_t i = 0; i < 4; ++i) {  // wherever the cut falls in a character
    std::string text(i, 'x');
    while (text.size() < 5'000) text += "\xF0\x9F\x98\x80";
    const std::string whole = line(text);
    CHECK(whole.size() <= PIPE_BUF);
    CHECK(whole.ends_with("\xF0\x9F\x98\x80...\n"));
  }
}

TEST_CASE("a message of the log's level or above is written, texts and numbers joined") {
  const TemporaryFolder folder;
  auto log = Log::open("letterbox-test", folder.file("log"), Log::Level::info);
  REQUIRE(log);
  const std::string_view view = "view";
  (*log)->error("e", 1, std::string("s"), view, UINT64_MAX, INT64_MIN);
  (*log)->warn("w");
  (*log)->info("i\n", -1);
  const auto lines = lines_of(folder.file("log"));
  REQUIRE(lines.size() == 3);
  const size_t time = line("").find(' ');
  CHECK(lines[0].substr(time) ==
        " letterbox-test error: e1sview18446744073709551615-9223372036854775808");
  CHECK(lines[1].substr(time) == " letterbox-test warn: w");
  CHECK(lines[2].substr(time) == " letterbox-test info: i\\n-1");
}

TEST_CASE("a log on a descriptor leaves it open and can't be reopened") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const Fd out(ends[0]);
  const Fd in(ends[1]);
  {
    Log log("letterbox-test", in.get(), Log::Level::warn);
    CHECK(log.enabled(Log::Level::error));
    CHECK_FALSE(log.enabled(Log::Level::info));
    log.info("not written");
    log.warn("written");
    CHECK(log.reopen());
  }
  char text[256];
  const ssize_t size = read(out.get(), text, sizeof text);
  REQUIRE(size > 0);
  CHECK(std::string_view(text, static_cast<size_t>(size)).ends_with(" warn: written\n"));
  CHECK(fcntl(in.get(), F_GETFD) != -1);
}

// The messages of a log, without the time and the level at the beginning of a line.
struct Said {
  Said() { REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Said() {
    close(ends[0]);
    close(ends[1]);
  }
  Said(const Said&) = delete;
  Said& operator=(const Said&) = delete;
  std::vector<std::string> lines() {
    char bytes[65'536];
    const ssize_t size = read(ends[0], bytes, sizeof bytes);
    std::vector<std::string> all;
    std::string_view text(bytes, size < 0 ? 0 : static_cast<size_t>(size));
    for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      all.emplace_back(text.substr(0, end).substr(line("").find(' ') + 1));
      text.remove_prefix(end + 1);
    }
    return all;
  }

  int ends[2] = {-1, -1};
};
using Lines = std::vector<std::string>;

TEST_CASE("an error that comes again and again is written once, then counted") {
  Said said;
  test::FakeClock clock;
  Log log("p", said.ends[1], Log::Level::info, clock);
  for (int i = 0; i < 1000; ++i) log.error("redis: WRONGTYPE");
  log.error("redis: NOPERM");
  CHECK(said.lines() == Lines{"p error: redis: WRONGTYPE", "p error: redis: NOPERM"});
  clock.pass(Repeats::kWindowMs - 1);
  log.info("news");
  log.error("redis: WRONGTYPE");
  CHECK(said.lines() == Lines{"p info: news"});
  clock.pass(1);
  log.info("news");
  CHECK(
      said.lines() ==
      Lines{
          "p error: redis: WRONGTYPE, and 1000 more like it, the last at 2026-11-21T19:01:04.122Z",
          "p info: news"});
  // WRONGTYPE goes on and is counted further; NOPERM came only once, and is new again.
  log.error("redis: WRONGTYPE");
  log.error("redis: NOPERM");
  clock.pass(Repeats::kWindowMs);
  CHECK(said.lines() == Lines{"p error: redis: NOPERM"});
  log.error("redis: WRONGTYPE");
  const Lines counted = said.lines();
  REQUIRE(counted.size() == 1);
  CHECK(counted[0].starts_with("p error: redis: WRONGTYPE, and 1 more like it"));
}

TEST_CASE("a log that ends says what it has counted") {
  Said said;
  {
    Log log("p", said.ends[1], Log::Level::info);
    for (int i = 0; i < 3; ++i) log.error("again");
    log.error("once");
  }
  const Lines lines = said.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "p error: again");
  CHECK(lines[1] == "p error: once");
  CHECK(lines[2].starts_with("p error: again, and 2 more like it, the last at 20"));
}

TEST_CASE("if there are more errors than the log tells apart, it counts them all") {
  Said said;
  test::FakeClock clock;
  Log log("p", said.ends[1], Log::Level::info, clock);
  for (size_t i = 0; i < Repeats::kTexts; ++i) {
    log.error("error ", i);
    log.error("error ", i);
  }
  CHECK(said.lines().size() == Repeats::kTexts);
  log.error("another");
  log.info("news");
  const Lines lines = said.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "p error: another");
  CHECK(lines[1].starts_with("p error: error 0, and 1 more like it"));
}

TEST_CASE("a change is written each time, and so is each error after the clock was set back") {
  Said said;
  test::FakeClock clock;
  Log log("p", said.ends[1], Log::Level::info, clock);
  for (int i = 0; i < 2; ++i) {
    log.warn("away");
    log.info("back");
  }
  CHECK(said.lines() == Lines{"p warn: away", "p info: back", "p warn: away", "p info: back"});
  clock.pass(3'600'000);
  log.error("again");
  clock.pass(static_cast<uint64_t>(-3'600'000));
  log.error("again");
  CHECK(said.lines() == Lines{"p error: again", "p error: again"});
}

TEST_CASE("after rotation the lines go on in a new file") {
  const TemporaryFolder folder;
  auto log = Log::open("letterbox-test", folder.file("log"), Log::Level::info);
  REQUIRE(log);
  (*log)->info("one");
  std::filesystem::rename(folder.file("log"), folder.file("log.1"));
  (*log)->info("two");
  REQUIRE((*log)->reopen());
  (*log)->info("three");
  CHECK(lines_of(folder.file("log.1")).size() == 2);
  REQUIRE(lines_of(folder.file("log")).size() == 1);
  CHECK(lines_of(folder.file("log"))[0].ends_with(" three"));
}

TEST_CASE("a log that can't be opened says why; if reopening fails the old file stays") {
  CHECK(Log::open("p", "/nowhere/log", Log::Level::info).error() ==
        "cannot open the log file /nowhere/log: No such file or directory");
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("a"));
  auto log = Log::open("p", folder.file("a/log"), Log::Level::info);
  REQUIRE(log);
  std::filesystem::rename(folder.file("a"), folder.file("b"));
  CHECK_FALSE((*log)->reopen());
  (*log)->info("still here");
  CHECK(lines_of(folder.file("b/log")).size() == 1);
}

TEST_CASE("threads that log at once, while the log is reopened, lose and tear no line") {
  const TemporaryFolder folder;
  auto log = Log::open("p", folder.file("log"), Log::Level::info);
  REQUIRE(log);
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < kLines; ++i) (*log)->info("thread ", t, " line ", i, " end");
    });
  }
  size_t failed = 0;
  for (int i = 0; i < 100; ++i) failed += !(*log)->reopen();
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);

  const auto lines = lines_of(folder.file("log"));
  CHECK(lines.size() == kThreads * kLines);
  CHECK(std::all_of(lines.begin(), lines.end(), [](const std::string& text) {
    return text.starts_with("20") && text.ends_with(" end") && text.size() < 60;
  }));
}

}  // namespace
}  // namespace letterbox
