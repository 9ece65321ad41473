// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "requests/identity.h"
#include "secret/base64url.h"
#include "secret/digest.h"
#include "tests/unit/token_maker.h"

namespace letterbox::test {
namespace {

constexpr bool kOpen = true;
constexpr uint64_t kNow = 1'795'287'654'123;

Or<Shown> identified(const Request& request, std::string_view query, bool open = kOpen) {
  return identify(request, Query::parse(query).value(), open);
}

// The user's name; "" for a token.
std::string name_of(const Request& request, std::string_view query, bool open = kOpen) {
  const auto shown = identified(request, query, open);
  REQUIRE(shown);
  CHECK(shown->token.empty());
  return shown->user;
}
std::string token_of(const Request& request, std::string_view query, bool open = kOpen) {
  const auto shown = identified(request, query, open);
  REQUIRE(shown);
  CHECK(shown->user.empty());
  return shown->token;
}

Code refusal(const Request& request, std::string_view query, bool open = kOpen) {
  const auto shown = identified(request, query, open);
  REQUIRE_FALSE(shown);
  return shown.error().code;
}

TEST_CASE("the user whom nginx vouches for counts, whatever else the request says") {
  Request request;
  request.mailbox_user = "alice";
  CHECK(name_of(request, "user=bob") == "alice");
  CHECK(name_of(request, "token=t&token=t&user=bob&user=carol") == "alice");
  request.authorization = "Bearer t";
  request.cookie = "letterbox_token=t";
  CHECK(name_of(request, "", !kOpen) == "alice");
}

TEST_CASE("a bad name from nginx is refused, and nothing else is tried") {
  Request request;
  request.mailbox_user = "al ice";
  request.authorization = "Bearer t";
  CHECK(refusal(request, "user=bob") == Code::bad_user);
}

TEST_CASE("an empty MAILBOX_USER is none") { CHECK(name_of({}, "user=bob") == "bob"); }

TEST_CASE("a bearer's token comes before a cookie's, that before token=, and that before user=") {
  Request request;
  request.authorization = "Bearer a";
  request.cookie = "letterbox_token=b";
  const auto query = "token=c&user=bob";
  CHECK(token_of(request, query) == "a");
  request.authorization = "";
  CHECK(token_of(request, query) == "b");
  request.cookie = "";
  CHECK(token_of(request, query) == "c");
  CHECK(name_of(request, "user=bob") == "bob");
  CHECK(token_of({}, "token=c", !kOpen) == "c");
}

TEST_CASE("a token is taken as it is written, whatever the case of the scheme") {
  for (const auto authorization : {"Bearer t.u-_=", "bearer t.u-_=", "BEARER t.u-_="}) {
    Request request;
    request.authorization = authorization;
    CHECK(token_of(request, "user=bob") == "t.u-_=");
  }
}

TEST_CASE("the first cookie with the right name counts, anywhere among the others") {
  for (const auto cookie :
       {"letterbox_token=t", "a=b; letterbox_token=t", "a=b;letterbox_token=t;",
        "a; letterbox_token=t; c=d", "a=b;  letterbox_token=t; letterbox_token=other"}) {
    CAPTURE(cookie);
    Request request;
    request.cookie = cookie;
    CHECK(token_of(request, "user=bob") == "t");
  }
  Request request;
  request.cookie = "letterbox_token=t=u==";
  CHECK(token_of(request, "") == "t=u==");
}

TEST_CASE("an empty token is bad, and nothing else is tried") {
  Request request;
  for (const auto authorization : {"Bearer ", "Bearer"}) {
    CAPTURE(authorization);
    request.authorization = authorization;
    request.cookie = "letterbox_token=t";
    CHECK(refusal(request, "user=bob") == Code::bad_token);
  }
  for (const auto cookie : {"letterbox_token=", "letterbox_token", "a=b;letterbox_token=;c=d"}) {
    CAPTURE(cookie);
    request.authorization = "";
    request.cookie = cookie;
    CHECK(refusal(request, "token=t&user=bob") == Code::bad_token);
  }
  CHECK(refusal({}, "token=&user=bob") == Code::bad_token);
}

TEST_CASE("token= may be given once") {
  CHECK(refusal({}, "token=t&token=t") == Code::repeated_parameter);
}

TEST_CASE("other credentials and cookies are ignored") {
  for (const auto authorization : {"Basic dTpw", "Bearertoken", ""}) {
    CAPTURE(authorization);
    Request request;
    request.authorization = authorization;
    CHECK(name_of(request, "user=bob") == "bob");
  }
  for (const auto cookie : {"session=1", "xletterbox_token=t", "letterbox_token2=t", "; ;", "=",
                            "a=letterbox_token=t"}) {
    CAPTURE(cookie);
    Request request;
    request.cookie = cookie;
    CHECK(name_of(request, "user=bob") == "bob");
  }
}

TEST_CASE("user= counts only if the server was started with --open") {
  CHECK(name_of({}, "user=bob", kOpen) == "bob");
  CHECK(refusal({}, "user=bob", !kOpen) == Code::no_identity);
  CHECK(refusal({}, "user=%00&user=", !kOpen) == Code::no_identity);
}

TEST_CASE("user= must be given, once, and be a valid name") {
  CHECK(refusal({}, "") == Code::no_identity);
  CHECK(refusal({}, "User=bob") == Code::no_identity);
  CHECK(refusal({}, "user=bob&user=bob") == Code::repeated_parameter);
  for (const auto query : {"user=", "user=a%20b", "user=a%00", "user=%C3%A9", "user=a/b",
                           "user=a{b}", "user=a%0D%0Ab", "user=a+b"}) {
    CAPTURE(query);
    CHECK(refusal({}, query) == Code::bad_user);
  }
  CHECK(name_of({}, "user=" + std::string(128, 'x')) == std::string(128, 'x'));
  CHECK(refusal({}, "user=" + std::string(129, 'x')) == Code::bad_user);
  CHECK(name_of({}, "user=A-z0.9_%40%3A%2B") == "A-z0.9_@:+");
}

// --- claims ------------------------------------------------------------------------------------

Or<Claim> claimed(const std::string& token, const SignedTokens& keys = {}) {
  return to_claim({.token = token}, keys, kNow);
}

constexpr std::string_view kSecret = "a secret of thirty-two bytes, or more";

SignedTokens keys() {
  auto keys = SignedTokens::with({std::string(kSecret)},
                                 {.audience = {}, .life_max_ms = 86'400'000, .leeway_ms = 5000});
  REQUIRE(keys);
  return *std::move(keys);
}

std::string signed_by(std::string_view secret, std::string_view claims) {
  return hs256(secret, R"({"alg":"HS256"})", claims);
}

TEST_CASE("a user whom nginx vouches for claims to be that user") {
  const Shown shown{.user = "alice"};
  const auto claim = to_claim(shown, {}, kNow);
  REQUIRE(claim);
  CHECK(claim->proof == Claim::Proof::vouched);
  CHECK(claim->user == "alice");
  CHECK(claim->key() == key_of(shown));
}

TEST_CASE("an issued token names its user, and its key is its hash") {
  for (const std::string user : {"alice", "a", "Bob.Smith+1@example.com:80"}) {
    const std::string token = make_token(user);
    const auto claim = claimed(token);
    REQUIRE(claim);
    CHECK(claim->proof == Claim::Proof::token);
    CHECK(claim->user == user);
    CHECK(claim->hash == sha256_hex(token));
    CHECK(claim->key() == key_of({.token = token}));
  }
}

TEST_CASE("no two tokens are the same, and each has 256 bits that cannot be guessed") {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) {
    const std::string token = make_token("alice");
    const std::string begin = "lb_" + base64url("alice") + ".";
    REQUIRE(token.starts_with(begin));
    CHECK(from_base64url(token.substr(begin.size())).value().size() == 32);
    CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-_.") == std::string::npos);
    tokens.insert(token);
  }
  CHECK(tokens.size() == 100);
}

TEST_CASE("a token of another form is bad, and the error repeats nothing of it") {
  const std::string good = make_token("alice");
  const std::string secret(43, 'A');
  for (const std::string& bad :
       {good.substr(0, good.size() - 1), good + "A", good + "=", good + " ", " " + good,
        good.substr(1), std::string("lb_"), std::string("lb_."),
        std::string("LB_") + good.substr(3), "lb_" + secret, "lb_." + secret,
        "lb_" + base64url("a b") + "." + secret,
        "lb_" + base64url(std::string("a\0b", 3)) + "." + secret,
        "lb_" + base64url(std::string(129, 'x')) + "." + secret,
        std::string(good).append(1, '.').append(secret), std::string(100'000, 'x'),
        std::string("lb_") + std::string(100'000, 'A')}) {
    CAPTURE(bad);
    const auto claim = claimed(bad, keys());
    REQUIRE_FALSE(claim);
    CHECK(claim.error() == Error{Code::bad_token, "this token is not, or no longer, good"});
  }
}

TEST_CASE("a signed token claims what it says, once its signature is found good") {
  const std::string token =
      signed_by(kSecret, R"({"sub":"alice","iat":1795287600,"exp":1795287700})");
  const auto claim = claimed(token, keys());
  REQUIRE(claim);
  CHECK(claim->proof == Claim::Proof::signed_);
  CHECK(claim->user == "alice");
  CHECK(claim->issued_ms == 1'795'287'600'000);
  CHECK(claim->expires_ms == 1'795'287'705'000);  // including the leeway
  CHECK(claim->key() == key_of({.token = token}));
  CHECK_FALSE(claimed(signed_by(kSecret, R"({"sub":"alice","exp":1795287700})"), keys())
                  ->issued_ms.has_value());
}

TEST_CASE(
    "a signed token that is forged, expired or for no user is bad, and so is any without keys") {
  const auto good = R"({"sub":"alice","exp":1795287700})";
  CHECK(claimed(signed_by(kSecret, good), keys()));
  CHECK(claimed(signed_by(kSecret, good)).error().code == Code::bad_token);
  for (const std::string& bad :
       {signed_by("some other secret, as long as this is", good),
        signed_by(kSecret, R"({"sub":"alice","exp":1795287600})"),
        signed_by(kSecret, R"({"sub":"a b","exp":1795287700})"),
        signed_by(kSecret, R"({"exp":1795287700})"), hs256(kSecret, R"({"alg":"none"})", good)}) {
    CHECK(claimed(bad, keys()).error() ==
          Error{Code::bad_token, "this token is not, or no longer, good"});
  }
}

TEST_CASE("no token is taken for a name, nor a name for a token") {
  const std::string token = make_token("alice");
  CHECK(key_of({.token = token}) != key_of({.user = sha256_hex(token)}));
}

}  // namespace
}  // namespace letterbox::test
