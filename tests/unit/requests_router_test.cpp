// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "requests/router.h"
#include "tests/unit/fake_peer.h"

namespace letterbox::test {
namespace {

class Routes {
 public:
  Routes() {
    for (const std::string_view method : {"GET", "DELETE"}) {
      router_.add(method, "/mailbox", [method](const Request&, const Query& query, Answer answer) {
        answer.send({200, std::string(method) + " " +
                              std::string(query.single("user")->value_or("nobody"))});
      });
    }
    router_.add("POST", "/push", [](const Request& request, const Query&, Answer answer) {
      answer.send({201, request.body});
    });
    router_.add("GET", "/groups/*", [](const Request& request, const Query&, Answer answer) {
      answer.send({200, "group " + std::string(request.path)});
    });
    router_.add(
        "GET", "/poll",
        [](const Request&, const Query&, Answer answer) {
          answer.send({200, "polled"});
        },
        Router::Head::refused);
    router_.add("PUT", "/groups/*/*", [](const Request& request, const Query&, Answer answer) {
      answer.send({200, "member " + std::string(request.path)});
    });
  }

  uint64_t answers(std::string_view method, std::string_view path, int status) {
    const StatusCounts* const counts = router_.counts(method, path);
    if (counts == nullptr) throw std::runtime_error("no such route");
    return counts->of(status).value();
  }
  bool has(std::string_view method, std::string_view path) {
    return router_.counts(method, path) != nullptr;
  }
  uint64_t unrouted(int status) { return router_.unrouted().of(status).value(); }

  HttpAnswer ask(std::string_view method, std::string_view path, std::string_view query = "") {
    Request request;
    request.method = method;
    request.path = path;
    request.query = query;
    request.body = "body";
    FakePeer peer;
    router_.route(request, peer.owed());
    return peer.answer();
  }

  void guard_by(Router::Guard guard) { router_.guard_by(std::move(guard)); }

 private:
  Router router_;
};

TEST_CASE_FIXTURE(Routes, "a request goes to the handler of its path and method") {
  CHECK(ask("GET", "/mailbox", "user=al%69ce").body == "GET alice");
  CHECK(ask("DELETE", "/mailbox").body == "DELETE nobody");
  CHECK(ask("POST", "/push").status() == 201);
  CHECK(ask("POST", "/push").body == "body");
}

TEST_CASE_FIXTURE(Routes, "an unknown path is 404") {
  for (const auto path :
       {"", "/", "/push/", "/Push", "push", "/pushx", "//push", "/mailbox/alice"}) {
    CAPTURE(path);
    const auto answer = ask("POST", path);
    CHECK(answer.status() == 404);
    CHECK(answer.header("Content-Type") == "application/json");
    CHECK(answer.body.starts_with(R"({"error":{"code":"unknown_route",)"));
    CHECK(answer.header("Allow").empty());
  }
}

TEST_CASE_FIXTURE(Routes, "a star in a route stands for any part of a path, except an empty one") {
  CHECK(ask("GET", "/groups/team").body == "group /groups/team");
  CHECK(ask("GET", "/groups/ *?").body == "group /groups/ *?");
  CHECK(ask("PUT", "/groups/team/alice").body == "member /groups/team/alice");
  CHECK(ask("PUT", "/groups/team").header("Allow") == "GET, HEAD");
  CHECK(ask("GET", "/groups/team/alice").header("Allow") == "PUT");
  for (const auto path : {"/groups", "/groups/", "/groups//", "/groups/team/", "/groups//alice",
                          "/groups/team/alice/", "/groups/team/alice/x", "groups/team", "//team"}) {
    CAPTURE(path);
    CHECK(ask("GET", path).status() == 404);
    CHECK(ask("PUT", path).status() == 404);
  }
}

TEST_CASE_FIXTURE(Routes, "a wrong method is 405, and Allow says which are right") {
  for (const auto method : {"POST", "get", "head", "", "GETX"}) {
    CAPTURE(method);
    const auto answer = ask(method, "/mailbox");
    CHECK(answer.status() == 405);
    CHECK(answer.header("Allow") == "GET, HEAD, DELETE");
    CHECK(answer.body.starts_with(R"({"error":{"code":"wrong_method",)"));
  }
  CHECK(ask("GET", "/push").header("Allow") == "POST");
}

TEST_CASE_FIXTURE(Routes, "HEAD is answered like GET, with its length, and without its body") {
  for (const auto path : {"/mailbox", "/groups/team", "/nowhere", "/groups/a/b"}) {
    CAPTURE(path);
    const auto get = ask("GET", path);
    const auto head = ask("HEAD", path);
    CHECK(head.status() == get.status());
    CHECK(head.body.empty());
    if (get.status() == 405) continue;  // its message names the method
    CHECK(head.head == get.head);
    CHECK(head.header("Content-Length") == std::to_string(get.body.size()));
  }
  CHECK(answers("HEAD", "/mailbox", 200) == 1);
  CHECK(answers("GET", "/mailbox", 200) == 1);
}

TEST_CASE_FIXTURE(Routes, "a route may refuse HEAD, and says so without a body") {
  const auto head = ask("HEAD", "/poll");
  CHECK(head.status() == 405);
  CHECK(head.header("Allow") == "GET");
  CHECK(head.body.empty());
  CHECK(ask("HEAD", "/push").header("Allow") == "POST");
  CHECK(ask("GET", "/poll").body == "polled");
}

TEST_CASE_FIXTURE(Routes, "a query that can't be read is 400, before the handler") {
  for (const auto query : {"user=%", "user=%4", "user=%zz", "x=%ff", "user=\xC3"}) {
    CAPTURE(query);
    const auto answer = ask("GET", "/mailbox", query);
    CHECK(answer.status() == 400);
    CHECK(answer.body.starts_with(R"({"error":{"code":"bad_encoding",)"));
  }
}

TEST_CASE_FIXTURE(Routes, "answers are counted by route and status, those without a route apart") {
  ask("GET", "/mailbox");
  ask("GET", "/mailbox", "user=alice");
  ask("GET", "/mailbox", "user=%");
  ask("POST", "/push");
  ask("PUT", "/push");
  ask("GET", "/nowhere");
  CHECK(answers("GET", "/mailbox", 200) == 2);
  CHECK(answers("GET", "/mailbox", 400) == 1);
  CHECK(answers("DELETE", "/mailbox", 200) == 0);
  CHECK(answers("POST", "/push", 201) == 1);
  CHECK(unrouted(404) == 1);
  CHECK(unrouted(405) == 1);
  CHECK_FALSE(has("PUT", "/push"));
}

TEST_CASE("a request whose head is too long is counted as without a route") {
  Router router;
  FakePeer peer;
  Request request;
  request.head_too_large = true;
  router.route(request, peer.owed());
  CHECK(peer.answer().status() == 431);
  CHECK(router.unrouted().of(431).value() == 1);
}

TEST_CASE_FIXTURE(Routes,
                  "a guard is asked before anything else, and its refusals are counted by route") {
  guard_by([](const Request& request, Answer& answer) {
    if (request.path == "/mailbox") return true;
    answer.send({403, "no"});
    return false;
  });
  CHECK(ask("GET", "/mailbox").status() == 200);
  for (const auto path : {"/push", "/nowhere"}) CHECK(ask("POST", path, "user=%").body == "no");
  CHECK(ask("GET", "/push").status() == 403);
  CHECK(answers("POST", "/push", 403) == 1);
  CHECK(unrouted(403) == 2);
}

TEST_CASE("a request that a guard refuses reaches no handler") {
  Router router;
  int reached = 0;
  router.add("GET", "/here", [&reached](const Request&, const Query&, Answer answer) {
    ++reached;
    answer.send({200, "here"});
  });
  bool admits = false;
  router.guard_by([&admits](const Request&, Answer& answer) {
    if (!admits) answer.send({403, "no"});
    return admits;
  });
  Request request;
  request.method = "GET";
  request.path = "/here";
  for (const int expected : {0, 1}) {
    FakePeer peer;
    router.route(request, peer.owed());
    CHECK(peer.answer().status() == (expected == 0 ? 403 : 200));
    CHECK(reached == expected);
    admits = true;
  }
}

TEST_CASE("an answer is counted though its router has gone, a forgotten one as 500") {
  std::vector<Answer> owed;
  std::shared_ptr<StatusCounts> counts;
  FakePeer one;
  FakePeer other;
  {
    Router router;
    router.add("GET", "/later", [&owed](const Request&, const Query&, Answer answer) {
      owed.push_back(std::move(answer));
    });
    Request request;
    request.method = "GET";
    request.path = "/later";
    router.route(request, one.owed());
    router.route(request, other.owed());
    counts = router.routes().front().counts;
  }
  owed.back().send({200, "late"});
  owed.clear();
  CHECK(counts->of(200).value() == 1);
  CHECK(counts->of(500).value() == 1);
  CHECK(one.answer().status() == 500);
}

TEST_CASE_FIXTURE(Routes, "bytes of a path or method that are no text don't break the answer") {
  const std::string bytes("/\xFF\0\r\nX: 1\"\\", 11);
  const auto lost = ask("GET", bytes);
  CHECK(lost.status() == 404);
  CHECK(lost.header("X").empty());
  CHECK(lost.body.find("\\u0000") != std::string::npos);
  const auto wrong = ask(bytes, "/push");
  CHECK(wrong.status() == 405);
  CHECK(wrong.header("X").empty());
}

}  // namespace
}  // namespace letterbox::test
