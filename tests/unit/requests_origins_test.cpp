// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "requests/origins.h"
#include "tests/unit/fake_peer.h"

namespace letterbox::test {
namespace {

// The answer if the handler says 200.
HttpAnswer ask(const Origins& origins, std::string_view origin, std::string_view method = "GET") {
  Request request;
  request.method = method;
  request.path = "/poll";
  request.origin = origin;
  FakePeer peer;
  Answer answer = peer.owed();
  if (origins.admits(request, answer)) answer.send({200, "{}", "X-Own: 1\r\n"});
  return peer.answer();
}

Origins named(std::string_view list) {
  auto origins = Origins::parse(list);
  REQUIRE(origins);
  return *std::move(origins);
}

TEST_CASE("pages of a named origin may read the answer, with cookies") {
  const Origins origins = named("https://a.example,http://b.example:8080");
  CHECK(origins.any());
  for (const auto origin : {"https://a.example", "http://b.example:8080"}) {
    const auto answer = ask(origins, origin);
    CHECK(answer.status() == 200);
    CHECK(answer.header("Access-Control-Allow-Origin") == origin);
    CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
    CHECK(answer.header("Access-Control-Expose-Headers") == "Retry-After");
    CHECK(answer.header("Vary") == "Origin");
    CHECK(answer.header("X-Own") == "1");
    CHECK(answer.header("Access-Control-Allow-Methods").empty());
  }
}

TEST_CASE("every other origin gets the answer without permission to read it") {
  const Origins origins = named("https://a.example");
  for (const auto origin :
       {"", "null", "*", "http://a.example", "https://a.example:443", "https://a.example/",
        "https://A.example", "https://a.example.evil.example", "https://evil.example",
        "https://a.exampl", "https://a.example,https://a.example", "https://a.example "}) {
    CAPTURE(origin);
    for (const auto method : {"GET", "OPTIONS"}) {
      const auto answer = ask(origins, origin, method);
      CHECK(answer.status() == 200);
      CHECK(answer.header("Access-Control-Allow-Origin").empty());
      CHECK(answer.header("Access-Control-Allow-Credentials").empty());
      CHECK(answer.header("Vary").empty());
    }
  }
}

TEST_CASE("a preflight request is told what the browser may send, by an answer without a body") {
  const auto answer = ask(named("https://a.example"), "https://a.example", "OPTIONS");
  CHECK(answer.status() == 204);
  CHECK(answer.body.empty());
  CHECK(answer.header("Access-Control-Allow-Origin") == "https://a.example");
  CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
  CHECK(answer.header("Access-Control-Allow-Methods") == "GET, POST");
  CHECK(answer.header("Access-Control-Allow-Headers") == "Authorization, Last-Event-ID");
  CHECK(answer.header("Access-Control-Max-Age") == "7200");
}

TEST_CASE("a named origin may read the answer to a forgotten request, too") {
  FakePeer peer;
  Request request;
  request.method = "GET";
  request.origin = "https://a.example";
  {
    Answer answer = peer.owed();
    CHECK(named("https://a.example").admits(request, answer));
    const Answer elsewhere = std::move(answer);
  }
  CHECK(peer.answer().status() == 500);
  CHECK(peer.answer().header("Access-Control-Allow-Origin") == "https://a.example");
}

TEST_CASE("an origin is a scheme, a host and perhaps a port, as browsers write it") {
  CHECK_FALSE(named("").any());
  for (const auto good : {"http://localhost", "https://[::1]:8080", "capacitor://localhost",
                          "chrome-extension://abcdef", "https://xn--bcher-kva.example"}) {
    CAPTURE(good);
    CHECK(Origins::parse(good));
  }
  for (const auto bad :
       {"*", "null", "a.example", "https://", "://a.example", "https://a.example/",
        "https://a.example/poll", "https://*.example", "https://A.example",
        "https://a.example, https://b.example", "https://a.example,,", "https://a.example\r\nX: 1",
        "https://user@a.example", "HTTPS://a.example", ",https://a.example"}) {
    CAPTURE(bad);
    CHECK_FALSE(Origins::parse(bad));
  }
}

TEST_CASE("a request is of another origin if a page of another host has sent it") {
  const auto is_other = [](std::string_view origin, std::string_view host) {
    Request request;
    request.origin = origin;
    request.host = host;
    return is_cross_origin(request);
  };
  CHECK_FALSE(is_other("", "127.0.0.1:8080"));
  CHECK_FALSE(is_other("", ""));
  CHECK_FALSE(is_other("http://127.0.0.1:8080", "127.0.0.1:8080"));
  CHECK_FALSE(is_other("https://push.example", "push.example"));
  CHECK_FALSE(is_other("http://[::1]:8080", "[::1]:8080"));
  for (const auto origin :
       {"null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:80801",
        "http://127.0.0.1:8080/", "http://localhost:8080", "127.0.0.1:8080", "://"}) {
    CAPTURE(origin);
    CHECK(is_other(origin, "127.0.0.1:8080"));
    CHECK(is_other(origin, "") == (std::string_view(origin) != "://"));
  }
}

}  // namespace
}  // namespace letterbox::test
