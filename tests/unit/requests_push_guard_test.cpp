// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "requests/bearer.h"
#include "requests/push_guard.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_peer.h"

namespace letterbox::test {
namespace {

const std::string kNew = "new-key-0123456789";
const std::string kOld = "old-key-0123456789";

class Gate {
 public:
  explicit Gate(const std::vector<std::string>& keys, uint64_t rate = 0)
      : guard_(for_everything(keys), rate, clock_, log_) {}
  Gate(uint64_t rate, std::vector<PushKey> keys) : guard_(std::move(keys), rate, clock_, log_) {}

  // "in", or the status and code of the refusal.
  std::string ask(std::string_view authorization, std::string_view path = "/push",
                  std::string_view method = "POST", std::string_view query = "") {
    Request request;
    request.query = query;
    request.method = method;
    request.path = path;
    request.authorization = authorization;
    request.host = "push.example";
    request.origin = origin_;
    request.fetch_site = fetch_site_;
    request.forwarded = forwarded_;
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
  std::string logged() const {
    std::string text(1 << 16, '\0');
    text.resize(static_cast<size_t>(pread(log_fd_.get(), text.data(), text.size(), 0)));
    return text;
  }
  uint64_t count(std::string_view key, PushGuard::Outcome outcome) const {
    for (const auto& figures : guard_.figures()) {
      if (figures.key == key) return figures.outcomes.at(static_cast<size_t>(outcome)).value();
    }
    return 0;
  }
  FakeClock clock_;
  std::string_view origin_;
  std::string_view fetch_site_;
  std::string_view forwarded_;

 private:
  static std::vector<PushKey> for_everything(const std::vector<std::string>& secrets) {
    std::vector<PushKey> keys;
    for (const auto& secret : secrets) keys.emplace_back().secret = secret;
    return keys;
  }

  const Fd log_fd_{memfd_create("log", MFD_CLOEXEC)};
  Log log_{"test", log_fd_.get(), Log::Level::info, clock_};
  PushGuard guard_;
  HttpAnswer last_;
};

const std::string kRefused = R"(401 {"error":{"code":"bad_key)";
const std::string kTooFast = R"(429 {"error":{"code":"too_fast)";

std::string parsed(std::string_view file) {
  const auto keys = parse_push_keys(file);
  if (!keys) return "no: " + keys.error();
  std::string list;
  for (const auto& key : *keys) {
    list += "<" + key.secret + ">";
    if (key.name != "-" || key.scopes != 7) list += key.name + std::to_string(key.scopes);
  }
  return list;
}

TEST_CASE("the scheme Bearer of Authorization is read, in any case") {
  CHECK(bearer("Bearer abc") == "abc");
  CHECK(bearer("bEARER abc") == "abc");
  for (const auto empty : {"Bearer ", "Bearer", "bearer"}) CHECK(bearer(empty) == "");
  for (const auto other : {"", "Beare", "Basic abc", "Bearerabc", " Bearer abc", "Bearer\tabc"}) {
    CAPTURE(other);
    CHECK_FALSE(bearer(other));
  }
}

TEST_CASE("without a key every request may come in") {
  Gate gate({});
  for (const auto authorization : {"", "Bearer x", "Basic x"}) {
    CHECK(gate.ask(authorization) == "in");
  }
}

TEST_CASE("without a key no page of another site may come in, except to ask for health") {
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

TEST_CASE("without a key no forwarded request may come in, except questions of health") {
  Gate gate({});
  gate.forwarded_ = "yes";
  for (const auto path : {"/push", "/mailbox", "/users/kick", "/metrics", "/nowhere"}) {
    CAPTURE(path);
    CHECK(gate.ask("", path) == R"(403 {"error":{"code":"forwarded)");
    CHECK(gate.ask("Bearer " + kNew, path) == R"(403 {"error":{"code":"forwarded)");
  }
  CHECK(gate.ask("", "/healthz", "GET") == "in");
  CHECK(gate.ask("", "/readyz", "GET") == "in");
}

TEST_CASE("with a key it does not matter whether a proxy has forwarded a request") {
  Gate gate({kNew});
  gate.forwarded_ = "yes";
  CHECK(gate.ask("Bearer " + kNew) == "in");
  CHECK(gate.ask("") == kRefused);
}

TEST_CASE("with a key it does not matter which page sends it") {
  Gate gate({kNew});
  gate.origin_ = "http://evil.example";
  gate.fetch_site_ = "cross-site";
  CHECK(gate.ask("Bearer " + kNew) == "in");
  CHECK(gate.ask("") == kRefused);
}

TEST_CASE("either of two keys opens every route, and nothing else does") {
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

TEST_CASE("a refusal says which scheme is needed, and nothing of the key") {
  Gate gate({kNew});
  CHECK(gate.ask("Bearer guess-guess-guess") == kRefused);
  CHECK(gate.last().header("WWW-Authenticate") == "Bearer");
  CHECK(gate.last().body.find("guess") == std::string::npos);
  CHECK(gate.last().body.find(kNew) == std::string::npos);
}

TEST_CASE("health and readiness may be asked without a key") {
  Gate gate({kNew});
  CHECK(gate.ask("", "/healthz", "GET") == "in");
  CHECK(gate.ask("", "/readyz", "GET") == "in");
  CHECK(gate.ask("", "/healthz/", "GET") == kRefused);
  CHECK(gate.ask("", "/metrics", "GET") == kRefused);
}

TEST_CASE("each key has its own limit of pushes a second") {
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

TEST_CASE("a program that pushes too fast is told when to try again") {
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

TEST_CASE("a key file holds one key a line") {
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
  for (const std::string& file : {kNew + "\t", kNew + "é", kNew + '\0', kNew + "\rmore"}) {
    CAPTURE(file);
    CHECK(parsed(file) == "no: a key is made of printable ASCII, without blanks");
  }
  CHECK(parsed(kNew + "\n" + kOld + "\n" + kNew) == "no: a key stands in it twice");
  std::string many;
  for (int i = 0; i < 33; ++i) many += kNew + std::to_string(i) + "\n";
  CHECK(parsed(many) == "no: there are more than 32 keys in it");
  CHECK(parsed(many.substr(0, many.size() - kNew.size() - 3)).starts_with("<" + kNew + "0>"));
}

TEST_CASE("a line with a blank names its key, and says what the key is for") {
  CHECK(parsed("web:" + kNew + " push") == "<" + kNew + ">web1");
  CHECK(parsed("web:" + kNew + " read,push\r\nops@a.b+c:" + kOld + " push,read,admin\n") ==
        "<" + kNew + ">web3<" + kOld + ">ops@a.b+c7");
  CHECK(parsed("web:with:colons:0123456789 admin") == "<with:colons:0123456789>web4");
  // A line without a blank was always a key as a whole.
  CHECK(parsed("web:" + kNew) == "<web:" + kNew + ">");
}

TEST_CASE("a line that names a key in another way is refused, and not quoted") {
  const std::string form = "no: a line with a blank is NAME:KEY SCOPES";
  for (const std::string& line :
       {kNew + " push", kNew + " ", "with blank " + kNew, ":" + kNew + " push",
        "a/b:" + kNew + " push", " web:" + kNew + " push",
        std::string(65, 'n') + ":" + kNew + " push"}) {
    CAPTURE(line);
    CHECK(parsed(line).starts_with(form));
  }
  for (const auto scopes :
       {" write", " push,write", " push, read", " Push", " ,", " push,,read", "  push", " push "}) {
    CAPTURE(scopes);
    CHECK(parsed("web:" + kNew + scopes).starts_with("no: behind NAME:KEY and a blank"));
  }
  CHECK(parsed("web:" + kNew + " ").starts_with("no: a key with a name says what it is for"));
  CHECK(parsed("web:short push") == "no: a key has at least 16 characters");
  CHECK(parsed("web:" + kNew + "\t push") ==
        "no: a key is made of printable ASCII, without blanks");
}

TEST_CASE("a key with scopes opens what they are for, and nothing else") {
  struct Asked {
    std::string_view method;
    std::string_view path;
    std::string_view query;
    Scope scope;
  };
  const std::vector<Asked> asked{
      {"POST", "/push", "", Scope::push},
      {"DELETE", "/scheduled", "id=alice.0", Scope::push},
      {"DELETE", "/mailbox", "user=alice&id=1-1", Scope::push},
      {"DELETE", "/mailbox", "user=alice", Scope::admin},
      {"DELETE", "/mailbox", "user=alice&id%3D=%FF", Scope::admin},
      {"DELETE", "/mailbox/", "user=alice&id=1-1", Scope::admin},
      {"GET", "/mailbox", "user=alice", Scope::read},
      {"HEAD", "/mailbox", "user=alice", Scope::read},
      {"GET", "/metrics", "", Scope::read},
      {"GET", "/users", "", Scope::read},
      {"GET", "/groups", "", Scope::read},
      {"GET", "/tokens", "user=alice", Scope::read},
      {"GET", "/scheduled", "user=alice", Scope::read},
      {"GET", "/nowhere", "", Scope::read},
      {"POST", "/tokens", "", Scope::admin},
      {"DELETE", "/tokens", "user=alice", Scope::admin},
      {"POST", "/users/kick", "", Scope::admin},
      {"DELETE", "/users/alice", "", Scope::admin},
      {"PUT", "/groups/team", "", Scope::admin},
      {"DELETE", "/groups/team/alice", "", Scope::admin},
      {"POST", "/push/", "", Scope::admin},
      {"get", "/push", "", Scope::admin},
      {"OPTIONS", "/push", "", Scope::admin},
  };
  for (const Scope scope : {Scope::push, Scope::read, Scope::admin}) {
    Gate gate(0, {{.name = "web", .secret = kNew, .scopes = static_cast<unsigned>(scope)},
                  {.name = "all", .secret = kOld}});
    for (const auto& [method, path, query, needed] : asked) {
      CAPTURE(method);
      CAPTURE(path);
      CHECK(gate.ask("Bearer " + kNew, path, method, query) ==
            (needed == scope ? "in" : R"(403 {"error":{"code":"wrong_scope)"));
      CHECK(gate.ask("Bearer " + kOld, path, method, query) == "in");
    }
    CHECK(gate.ask("Bearer " + kNew, "/healthz", "GET") == "in");
  }
}

TEST_CASE("what comes of each key's requests is counted by its name, and refusals are logged") {
  using Outcome = PushGuard::Outcome;
  Gate gate(1, {{.name = "web", .secret = kNew, .scopes = 1},
                {.name = "web", .secret = kOld, .scopes = 1},
                {.secret = "a-key-without-a-name"}});
  gate.ask("Bearer " + kNew);
  gate.ask("Bearer " + kOld);
  gate.ask("Bearer " + kOld);
  gate.ask("Bearer " + kNew, "/users/alice", "DELETE");
  gate.ask("Bearer a-key-without-a-name", "/users/alice", "DELETE");
  gate.ask("Bearer guess-guess-guess");
  gate.ask("", "/healthz", "GET");
  CHECK(gate.count("web", Outcome::admitted) == 2);
  CHECK(gate.count("web", Outcome::too_fast) == 1);
  CHECK(gate.count("web", Outcome::wrong_scope) == 1);
  CHECK(gate.count("-", Outcome::admitted) == 1);
  CHECK(gate.count("", Outcome::bad_key) == 1);
  CHECK(gate.count("", Outcome::admitted) == 0);
  const std::string log = gate.logged();
  CHECK(log.find("the key 'web', which has not the scope 'admin': 403 wrong_scope") !=
        std::string::npos);
  CHECK(log.find("a push by the key 'web': 429 too_fast") != std::string::npos);
  CHECK(log.find("a request without a right key: 401 bad_key") != std::string::npos);
  for (const auto& secret : {kNew, kOld, std::string("guess-guess-guess")}) {
    CHECK(log.find(secret) == std::string::npos);
  }
}

TEST_CASE("many refusals of one kind are one line of the log") {
  Gate gate({kNew});
  for (int i = 0; i < 100; ++i) gate.ask("Bearer guess-" + std::to_string(i));
  const std::string log = gate.logged();
  CHECK(std::count(log.begin(), log.end(), '\n') == 1);
}

TEST_CASE("without a key every request that comes in is counted as one without a name") {
  Gate gate({});
  gate.ask("", "/mailbox", "GET");
  gate.forwarded_ = "yes";
  gate.ask("");
  CHECK(gate.count("", PushGuard::Outcome::admitted) == 1);
  CHECK(gate.count("", PushGuard::Outcome::forwarded) == 1);
}

}  // namespace
}  // namespace letterbox::test
