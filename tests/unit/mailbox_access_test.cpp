// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "mailbox/access.h"

namespace letterbox::test {
namespace {

constexpr uint64_t kNow = 1'795'287'654'123;
const Error kBadToken{Code::bad_token, "this token is not, or no longer, good"};

Claim vouched() { return {.user = "alice"}; }
Claim by_token() { return {.proof = Claim::Proof::token, .user = "alice", .hash = "h"}; }
Claim signed_at(std::optional<uint64_t> issued) {
  return {.proof = Claim::Proof::signed_,
          .user = "alice",
          .hash = "h",
          .issued_ms = issued,
          .expires_ms = kNow + 1000};
}
Token made_at(uint64_t created) {
  return {.id = "alice.1",
          .created_ms = created,
          .expires_ms = kNow + 500,
          .client = "",
          .address = "",
          .data = ""};
}

Standing locked(std::string reason = "") {
  Standing standing;
  standing.locked = {kNow - 10, std::move(reason)};
  return standing;
}
Standing kicked(uint64_t at, uint64_t until, std::string reason = "") {
  Standing standing;
  standing.kicked = {at, until, std::move(reason)};
  return standing;
}
Standing revoked(uint64_t at) {
  Standing standing;
  standing.revoked_ms = at;
  return standing;
}

Or<Admission> judged(const Claim& claim, const Standing& standing,
                     const std::optional<Token>& token = {}) {
  return judge(claim, standing, token, kNow);
}
Code refusal(const Claim& claim, const Standing& standing, const std::optional<Token>& token = {}) {
  const auto admission = judged(claim, standing, token);
  REQUIRE_FALSE(admission);
  return admission.error().code;
}

TEST_CASE("a user whom nginx vouches for may come in, for as long as nginx does so") {
  const auto admission = judged(vouched(), {});
  REQUIRE(admission);
  CHECK(admission->claim.user == "alice");
  CHECK(admission->client.empty());
  CHECK(admission->data.empty());
  CHECK(admission->expires_ms == 0);
}

TEST_CASE("a token that is kept lets its user in until it ends, as its client, with its data") {
  Token token = made_at(kNow - 100);
  token.client = "tab";
  token.data = R"({"a":1})";
  const auto admission = judged(by_token(), {}, token);
  REQUIRE(admission);
  CHECK(admission->claim.hash == "h");
  CHECK(admission->client == "tab");
  CHECK(admission->data == R"({"a":1})");
  CHECK(admission->expires_ms == kNow + 500);
}

TEST_CASE("a signed token lets its user in until it ends, as any client") {
  const auto admission = judged(signed_at(kNow - 100), {});
  REQUIRE(admission);
  CHECK(admission->client.empty());
  CHECK(admission->expires_ms == kNow + 1000);
  CHECK(judged(signed_at({}), {}));
}

TEST_CASE(
    "a token that is not kept, or has ended, is bad, whether or not its user is locked or kicked") {
  Standing everything = locked("secret");
  everything.kicked = {kNow, kNow + 1000, "secret"};
  everything.revoked_ms = kNow;
  Token over = made_at(kNow - 100);
  over.expires_ms = kNow;
  Claim ended = signed_at(kNow - 100);
  ended.expires_ms = kNow;
  for (const Standing& standing : {Standing{}, locked("secret"), everything}) {
    CHECK(judged(by_token(), standing).error() == kBadToken);
    CHECK(judged(by_token(), standing, over).error() == kBadToken);
    CHECK(judged(ended, standing).error() == kBadToken);
  }
  CHECK(judged(signed_at(kNow - 100), everything).error() == kBadToken);
}

TEST_CASE(
    "signed tokens from before a revocation of all are bad, and so are those without a time") {
  CHECK(refusal(signed_at(kNow - 101), revoked(kNow - 100)) == Code::bad_token);
  CHECK(refusal(signed_at(kNow - 100), revoked(kNow - 100)) == Code::bad_token);
  CHECK(refusal(signed_at({}), revoked(kNow - 100)) == Code::bad_token);
  CHECK(judged(signed_at(kNow - 99), revoked(kNow - 100)));
}

TEST_CASE("a revocation of all does not touch newer tokens, nor users whom nginx vouches for") {
  CHECK(judged(by_token(), revoked(kNow), made_at(kNow - 100)));
  CHECK(judged(vouched(), revoked(kNow)));
}

TEST_CASE("a locked user does not come in, by any proof, and is told why") {
  for (const auto& [claim, token] : {std::pair(vouched(), std::optional<Token>()),
                                     std::pair(signed_at(kNow), std::optional<Token>()),
                                     std::pair(by_token(), std::optional(made_at(kNow)))}) {
    const auto admission = judged(claim, locked("unpaid"), token);
    REQUIRE_FALSE(admission);
    CHECK(admission.error() == Error{Code::locked, "locked: unpaid"});
  }
  CHECK(judged(vouched(), locked()).error().message == "locked");
}

TEST_CASE("a locked user is told so, also if the user was kicked") {
  Standing both = locked();
  both.kicked = {kNow, kNow + 1000, "shouting"};
  CHECK(refusal(vouched(), both) == Code::locked);
}

TEST_CASE(
    "a kicked user whom nginx vouches for is kept out for the time of the kick, and told why") {
  const auto out = judged(vouched(), kicked(kNow - 10, kNow + 1, "shouting"));
  REQUIRE_FALSE(out);
  CHECK(out.error() == Error{Code::kicked, "kicked: shouting"});
  CHECK(judged(vouched(), kicked(kNow - 10, kNow + 1)).error().message == "kicked");
  CHECK(judged(vouched(), kicked(kNow - 10, kNow)));
  CHECK(judged(vouched(), kicked(kNow - 10, kNow - 5)));
}

TEST_CASE("the tokens that a user had at a kick are bad, newer ones are good") {
  const Standing standing = kicked(kNow - 100, kNow + 1000);
  CHECK(refusal(by_token(), standing, made_at(kNow - 101)) == Code::kicked);
  CHECK(refusal(by_token(), standing, made_at(kNow - 100)) == Code::kicked);
  CHECK(judged(by_token(), standing, made_at(kNow - 99)));
  CHECK(refusal(signed_at(kNow - 100), standing) == Code::kicked);
  CHECK(refusal(signed_at({}), standing) == Code::kicked);
  CHECK(judged(signed_at(kNow - 99), standing));
}

TEST_CASE("the tokens that a user had at a kick stay bad when it is over") {
  const Standing standing = kicked(kNow - 100, kNow - 50);
  CHECK(refusal(by_token(), standing, made_at(kNow - 101)) == Code::kicked);
  CHECK(refusal(signed_at(kNow - 101), standing) == Code::kicked);
}

TEST_CASE("a claim's key is its token, and without one its user") {
  CHECK(by_token().key() == signed_at({}).key());
  CHECK(vouched().key() != Claim{.user = "bob"}.key());
  CHECK(vouched().key() != Claim{.proof = Claim::Proof::token, .hash = "alice"}.key());
}

}  // namespace
}  // namespace letterbox::test
