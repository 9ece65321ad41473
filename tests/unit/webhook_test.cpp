// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "secret/base64url.h"
#include "webhook/event.h"
#include "webhook/poster.h"
#include "webhook/signature.h"

namespace letterbox {
namespace {

TEST_CASE("a post is signed as the libraries of Standard Webhooks expect it") {
  const auto secrets = WebhookSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  REQUIRE(secrets);
  CHECK(secrets->sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("a post is signed with each secret of the file") {
  const std::string one = "whsec_" + base64(std::string(24, 'a'));
  const std::string two = "whsec_" + base64(std::string(64, 'b'));
  const auto first = WebhookSecrets::parse(one);
  const auto second = WebhookSecrets::parse(two + "\r\n");
  const auto both = WebhookSecrets::parse(one + "\n" + two + "\n");
  REQUIRE(first);
  REQUIRE(second);
  REQUIRE(both);
  CHECK(both->sign("id", 1, "body") ==
        first->sign("id", 1, "body") + " " + second->sign("id", 1, "body"));
}

TEST_CASE("a file that holds no secret, a bad one or three is refused, and not quoted") {
  const std::string good = "whsec_" + base64(std::string(24, 'a')) + "\n";
  for (const std::string& bad :
       {std::string(), std::string("\n"), std::string("QUFBQUFB"), std::string("whsec_"),
        "whsec_" + base64(std::string(23, 'a')), "whsec_" + base64(std::string(65, 'a')),
        "whsec_" + std::string(32, '!'), "whsec_" + base64url(std::string(25, 'a')),
        good + good + good}) {
    CAPTURE(bad);
    const auto secrets = WebhookSecrets::parse(bad);
    REQUIRE_FALSE(secrets);
    CHECK(secrets.error().find("QUFB") == std::string::npos);
  }
}

TEST_CASE("the id of a post names the user and the message, without a full stop") {
  CHECK(webhook_id("alice", {5, 7}) == "alice/5-7");
  CHECK(webhook_id("a.b.c@example.com", {5, 7}) == "a~b~c@example~com/5-7");
}

TEST_CASE("the body of a post is the message with its user, and says when it came to be unheard") {
  CHECK(unheard_event("alice", {5, 7}, R"({"type":"a","data":{"time":1},"time":1795287660456})",
                      60'000) ==
        R"({"type":"message.unheard","timestamp":"2026-11-21T19:02:00.456Z","data":)"
        R"({"user":"alice","id":"5-7","type":"a","data":{"time":1},"time":1795287660456}})");
}

TEST_CASE("a time is written as ISO 8601 has it, in UTC with milliseconds") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(951'782'400'007) == "2000-02-29T00:00:00.007Z");
}

TEST_CASE("a webhook's URL is of http or https, and what may be secret in it is not shown") {
  const auto url = WebhookUrl::parse("https://hooks.example.org:8443/path?key=secret");
  REQUIRE(url);
  CHECK(url->text == "https://hooks.example.org:8443/path?key=secret");
  CHECK(url->place == "https://hooks.example.org:8443");
  CHECK(WebhookUrl::parse("http://[::1]/")->place == "http://[::1]");
  for (const std::string& bad :
       {std::string(), std::string("x"), std::string("ftp://host/"), std::string("https://"),
        std::string("https://user@host/"), std::string("https://user:key@host/"),
        std::string("https://host:99999/"), std::string("https://host/a b"),
        std::string("https://host/\n"), "https://host/" + std::string(2048, 'x')}) {
    CAPTURE(bad);
    const auto refused = WebhookUrl::parse(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().find("host") == std::string::npos);
  }
}

TEST_CASE("base64 is read as strictly as it is written") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("\xFB\xFF\xFE") == "+//+");
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    CHECK(from_base64(base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
  for (const auto* bad :
       {"Zg", "Zg=", "Zg===", "=", "====", "Zm8=Zm8=", "Z=8=", "-__-", "Zm9v\n", "Zh==", "Z==="}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64(bad));
  }
}

}  // namespace
}  // namespace letterbox
