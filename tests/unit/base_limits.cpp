// SPDX-License-Identifier: MIT
//
// The limits of base/limits.h that no compiler can compare: the same numbers in the scripts that
// run in Redis, and in nginx' configuration. Both are read from the repository.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "scripts.h"

using namespace letterbox;

namespace {

std::string file(const std::string& path) {
  // (Tests are run from the top of the repository, and by hand from anywhere within it.)
  const std::string source = __FILE__;
  const std::string top = source.substr(0, source.rfind("tests/unit/"));
  for (const std::string& folder : {std::string(), top}) {
    std::ifstream stream(folder + path);
    if (stream) return {std::istreambuf_iterator<char>(stream), {}};
  }
  FAIL("can't read " << path);
  return {};
}

// The words after a directive in one of nginx' files, which has the directive once.
std::vector<std::string> directive(const std::string& path, const std::string& name) {
  const std::string text = file(path);
  const std::regex line("(?:^|\n) *" + name + " +([^;\n]*);");
  std::vector<std::string> words;
  int found = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it) {
    ++found;
    const std::string values = (*it)[1];
    const std::regex word("[^ ]+");
    for (std::sregex_iterator w(values.begin(), values.end(), word); w != end; ++w) {
      words.push_back(w->str());
    }
  }
  CAPTURE(path);
  CAPTURE(name);
  REQUIRE(found == 1);
  return words;
}

// "5s", "16k", "80" as milliseconds, bytes, or what they count.
uint64_t value(const std::string& word) {
  const std::string unit = word.substr(word.find_first_not_of("0123456789") == std::string::npos
                                           ? word.size()
                                           : word.find_first_not_of("0123456789"));
  const uint64_t number = std::stoull(word);
  if (unit == "s") return number * kSecondMs;
  if (unit == "k") return number * 1024;
  if (unit == "m") return number * 1024 * 1024;
  REQUIRE(unit.empty());
  return number;
}

uint64_t value(const std::string& path, const std::string& name) {
  return value(directive(path, name).at(0));
}

// How often `text` occurs in a script.
size_t says(const Script& script, const std::string& words) {
  const std::string text(script.source);
  size_t times = 0;
  for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++times;
  }
  return times;
}

template <uint64_t number>
std::string text() {
  return std::string(kTextOf<number>);
}

}  // namespace

TEST_CASE("a constant's text is its digits") {
  CHECK(kTextOf<0> == "0");
  CHECK(kTextOf<9> == "9");
  CHECK(kTextOf<10> == "10");
  CHECK(kTextOf<31'557'600'000> == "31557600000");
  CHECK(kTextOf<UINT64_MAX> == "18446744073709551615");
}

TEST_CASE("the scripts drop messages in portions as large as limits.h says") {
  CHECK(says(lua::push, "acknowledged >= " + text<kDropMessages>() + " ") == 1);
  CHECK(says(lua::push, "math.min(" + text<kExpiredMessages>() + ", ") == 1);
  CHECK(says(lua::push, "math.min(empty, " + text<kPlaceholders>() + ")") == 1);
  CHECK(says(lua::push, "'<', '')) > " + text<kForks>() + " ") == 1);
}

TEST_CASE("the scripts ring at an address within the bounds of limits.h") {
  CHECK(says(lua::push, "rings > " + text<kAddressRings>() + " ") == 1);
  CHECK(says(lua::push, "'PEXPIRE', key, " + text<kAddressLifeMs>() + ")") == 1);
  CHECK(says(lua::push, " < " + text<kUnheardMs>() + "\n") == 1);
}

TEST_CASE("the scripts look at as many elements of a list as limits.h says") {
  CHECK(says(lua::read, "'LRANGE', KEYS[3], 0, " + text<kHungElements - 1>() + ")") == 1);
  CHECK(says(lua::peek, ", 0, " + text<kHungElements - 1>() + ")") == 1);
}

TEST_CASE("a read looks at as many elements of a mailbox as limits.h says") {
  CHECK(says(lua::read, "looked_most = KEYS[2], start - front, " + text<kReadElements>() + "\n") ==
        1);
}

TEST_CASE("the scripts have the times of limits.h") {
  CHECK(says(lua::reign, " > " + text<kAheadMs>() + " ") >= 1);
  CHECK(says(lua::push, "now + " + text<kAheadMs>() + " ") == 1);
  CHECK(says(lua::standing, ", " + text<kKickMostMs>() + ")") == 1);
  for (const Script* script : {&lua::issue, &lua::revoke, &lua::standing}) {
    CHECK(says(*script, "'MAXLEN', '~', " + text<kNotices>() + ", ") == 1);
  }
}

TEST_CASE("nginx waits for a poll longer than a poll waits") {
  const uint64_t nginx = value("nginx/pass-public.conf", "fastcgi_read_timeout");
  CHECK(kPollMostMs + kRedisMs < nginx);
  CHECK(kStreamPingMs < nginx);
  CHECK(kReadTurnMs + kRedisMs < nginx);
}

TEST_CASE("nginx waits for the metrics and health longer than an answer takes") {
  const uint64_t nginx = value("nginx/letterbox-private.conf", "fastcgi_read_timeout");
  CHECK(kReadyMs < nginx);
  CHECK(kHealthyMs < nginx);
  CHECK(kRedisMs < value("nginx/pass-push.conf", "fastcgi_read_timeout"));
}

TEST_CASE("a program gives up on a request that stops midway when nginx does") {
  for (const auto* path : {"nginx/pass-public.conf", "nginx/pass-push.conf"}) {
    CHECK(kSlowRequestMs == value(path, "fastcgi_send_timeout"));
  }
}

TEST_CASE("nginx lets through the bodies that the programs take") {
  CHECK(value("nginx/pass-push.conf", "client_max_body_size") == kPushBodyBytes);
  CHECK(value("nginx/pass-push.conf", "client_body_buffer_size") == kPushBodyBytes);
  CHECK(value("nginx/pass-public.conf", "client_max_body_size") >= kPollBodyBytes);
}

TEST_CASE("nginx has room for an answer's head, and buffers for the longest answer to a poll") {
  const auto buffers = directive("nginx/pass-poll.conf", "fastcgi_buffers");
  REQUIRE(buffers.size() == 2);
  CHECK(value(buffers[0]) * value(buffers[1]) >= kAnswerBytes + kPushBodyBytes);
}

TEST_CASE(
    "the longest headers that nginx takes by its own settings are parameters that programs take") {
  const auto buffers = directive("nginx/server.conf", "large_client_header_buffers");
  REQUIRE(buffers.size() == 2);
  CHECK(value(buffers[0]) * value(buffers[1]) <= kParamsBytes);
  CHECK(kTokenBytes <= value(buffers[1]));
}

TEST_CASE("nginx lets one user have as many polls as a program does") {
  const std::string limits = file("nginx/limits-poll.conf");
  CHECK(limits.find("letterbox_by_user    " + text<kUserClients>() + ";") != std::string::npos);
}
