// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "handlers/bearer.h"
#include "handlers/push_guard.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"

namespace letterbox::test {
namespace {

const std::string kNew = "new-key-0123456789";
const std::string kOld = "old-key-0123456789";

class Gate {
 public:
  explicit Gate(std::vector<std::string> keys, uint64_t rate = 0)
      : guard_(std::move(keys), rate, clock_) {}

  // "in", or the status and code of the refusal.
  std::string ask(std::string_view authorization, std::string_view path = "/push",
                  std::string_view method = "POST") {
    Request request;
    request.method = method;
    request.path = path;
    request.authorization = authorization;
    request.host = "push.example";
    request.origin = origin_;
    request.fetch_site = fetch_site_;
    FakePeer peer;
    Answer answer = peer.owed();
    if (guard_.admits(request, answer)) return "in";
    CHECK_FALSE(answer);
    last_ = peer.answer();
    const std::string_view body = last_.body;
    return std::to_string(last_.status()) + " " +
           std::string(body.substr(0, body.find("\",\"message")));
  }

  const HttpAnswer& last() const { return last_; }
  FakeClock clock_;
  std::string_view origin_;
  std::string_view fetch_site_;

 private:
  PushGuard guard_;
  HttpAnswer last_;
};

const std::string kRefused = R"(401 {"error":{"code":"bad_key)";
const std::string kTooFast = R"(429 {"error":{"code":"too_fast)";

std::string parsed(std::string_view file) {
  const auto keys = parse_push_keys(file);
  if (!keys) return "no: " + keys.error();
  std::string list;
  for (const auto& key : *keys) list += "<" + key + ">";
  return list;
}

TEST_CASE("of Authorization the scheme Bearer is read, however it is written") {
  CHECK(bearer("Bearer abc") == "abc");
  CHECK(bearer("bEARER abc") == "abc");
  for (const auto empty : {"Bearer ", "Bearer", "bearer"}) CHECK(bearer(empty) == "");
  for (const auto other : {"", "Beare", "Basic abc", "Bearerabc", " Bearer abc", "Bearer\tabc"}) {
    CAPTURE(other);
    CHECK_FALSE(bearer(other));
  }
}

TEST_CASE("without a key everybody may come in") {
  Gate gate({});
  for (const auto authorization : {"", "Bearer x", "Basic x"}) {
    CHECK(gate.ask(authorization) == "in");
  }
}

TEST_CASE(
    "without a key no page of another site may come in, and whether the program lives it may ask") {
  Gate gate({});
  const std::string refused = R"(403 {"error":{"code":"cross_site)";
  for (const auto path : {"/push", "/mailbox", "/users/kick", "/metrics", "/nowhere"}) {
    CAPTURE(path);
    gate.origin_ = "http://push.example";
    CHECK(gate.ask("", path) == "in");
    for (const auto origin : {"http://evil.example", "null", "http://push.example:81"}) {
      gate.origin_ = origin;
      CHECK(gate.ask("", path) == refused);
      CHECK(gate.ask("", "/healthz", "GET") == "in");
    }
    gate.origin_ = "";
    for (const auto site : {"", "none", "same-origin", "same-site"}) {
      gate.fetch_site_ = site;
      CHECK(gate.ask("", path) == "in");
    }
    gate.fetch_site_ = "cross-site";
    CHECK(gate.ask("", path) == refused);
    gate.fetch_site_ = "";
  }
}

TEST_CASE("with a key it does not matter which page shows it") {
  Gate gate({kNew});
  gate.origin_ = "http://evil.example";
  gate.fetch_site_ = "cross-site";
  CHECK(gate.ask("Bearer " + kNew) == "in");
  CHECK(gate.ask("") == kRefused);
}

TEST_CASE("with keys either of them opens every route, and nothing else does") {
  Gate gate({kNew, kOld});
  for (const auto path : {"/push", "/mailbox", "/metrics", "/nowhere", ""}) {
    CAPTURE(path);
    CHECK(gate.ask("Bearer " + kNew, path) == "in");
    CHECK(gate.ask("bearer " + kOld, path, "DELETE") == "in");
    for (const auto wrong :
         {"", "Bearer ", "Bearer ew-key-0123456789", "Bearer new-key-0123456789x",
          "Bearer  new-key-0123456789", "Bearer new-key-0123456789old-key-0123456789",
          "Bearer new-key-0123456789\nold-key-0123456789", "Basic new-key-0123456789",
          "new-key-0123456789", "Bearer NEW-KEY-0123456789"}) {
      CAPTURE(wrong);
      CHECK(gate.ask(wrong, path) == kRefused);
    }
  }
}

TEST_CASE("who is refused is told which scheme is wanted, and nothing of the key") {
  Gate gate({kNew});
  CHECK(gate.ask("Bearer guess-guess-guess") == kRefused);
  CHECK(gate.last().header("WWW-Authenticate") == "Bearer");
  CHECK(gate.last().body.find("guess") == std::string::npos);
  CHECK(gate.last().body.find(kNew) == std::string::npos);
}

TEST_CASE("whether the program lives and is ready may be asked without a key") {
  Gate gate({kNew});
  CHECK(gate.ask("", "/healthz", "GET") == "in");
  CHECK(gate.ask("", "/readyz", "GET") == "in");
  CHECK(gate.ask("", "/healthz/", "GET") == kRefused);
  CHECK(gate.ask("", "/metrics", "GET") == kRefused);
}

TEST_CASE("each key has its own number of pushes a second") {
  Gate gate({kNew, kOld}, 2);
  for (const auto& key : {kNew, kOld}) {
    CHECK(gate.ask("Bearer " + key) == "in");
    CHECK(gate.ask("Bearer " + key) == "in");
    CHECK(gate.ask("Bearer " + key) == kTooFast);
  }
  CHECK(gate.ask("Bearer wrong-wrong-wrong") == kRefused);
  gate.clock_.pass(500);
  CHECK(gate.ask("Bearer " + kNew) == "in");
  CHECK(gate.ask("Bearer " + kNew) == kTooFast);
}

TEST_CASE("who pushes too fast is told when to try again") {
  Gate gate({}, 1);
  CHECK(gate.ask("") == "in");
  CHECK(gate.ask("") == kTooFast);
  CHECK(std::stoi(gate.last().header("Retry-After")) >= 1);
  CHECK(std::stoi(gate.last().header("Retry-After")) <= 2);
  const std::string field = "\"retry_after_ms\":";
  const int ms = std::stoi(gate.last().body.substr(gate.last().body.find(field) + field.size()));
  CHECK(ms >= 1000);
  CHECK(ms < 2000);
  gate.clock_.pass(static_cast<uint64_t>(ms));
  CHECK(gate.ask("") == "in");
}

TEST_CASE("only pushes are counted") {
  Gate gate({}, 1);
  CHECK(gate.ask("", "/mailbox", "GET") == "in");
  CHECK(gate.ask("", "/push", "GET") == "in");
  CHECK(gate.ask("", "/push/", "POST") == "in");
  CHECK(gate.ask("") == "in");
  CHECK(gate.ask("") == kTooFast);
  CHECK(gate.ask("", "/mailbox", "GET") == "in");
}

TEST_CASE("a key file holds one key or two, a line each") {
  CHECK(parsed(kNew) == "<" + kNew + ">");
  CHECK(parsed(kNew + "\n") == "<" + kNew + ">");
  CHECK(parsed(kNew + "\r\n" + kOld + "\r\n") == "<" + kNew + "><" + kOld + ">");
  CHECK(parsed(R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)").starts_with("<!"));
}

TEST_CASE("a key file with anything else in it is refused, and not quoted") {
  CHECK(parsed("") == "no: there is no key in it");
  for (const auto file : {"\n", "fifteen-letters", "new-key-0123456789\n\n",
                          "new-key-0123456789\n\nold-key-0123456789", "\nnew-key-0123456789",
                          "short\nnew-key-0123456789"}) {
    CAPTURE(file);
    CHECK(parsed(file) == "no: a key has at least 16 characters");
  }
  for (const std::string& file :
       {"with blank " + kNew, kNew + " ", kNew + "\t", kNew + "é", kNew + '\0', kNew + "\rmore"}) {
    CAPTURE(file);
    CHECK(parsed(file) == "no: a key is made of printable ASCII, without blanks");
  }
  CHECK(parsed(kNew + "\n" + kOld + "\n" + kOld) == "no: there are more than two keys in it");
}

}  // namespace
}  // namespace letterbox::test
