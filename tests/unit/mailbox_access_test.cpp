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

TEST_CASE("whom somebody vouches for may come in, for as long as that is so") {
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

TEST_CASE("a token that is not kept, or has ended, is bad, whatever else there is to say") {
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
    "signed tokens of before all were taken back are bad, and those that do not say of when") {
  CHECK(refusal(signed_at(kNow - 101), revoked(kNow - 100)) == Code::bad_token);
  CHECK(refusal(signed_at(kNow - 100), revoked(kNow - 100)) == Code::bad_token);
  CHECK(refusal(signed_at({}), revoked(kNow - 100)) == Code::bad_token);
  CHECK(judged(signed_at(kNow - 99), revoked(kNow - 100)));
}

TEST_CASE("that all were taken back says nothing of tokens made since, nor of who is vouched for") {
  CHECK(judged(by_token(), revoked(kNow), made_at(kNow - 100)));
  CHECK(judged(vouched(), revoked(kNow)));
}

TEST_CASE("who is locked does not come in, by whatever proof, and is told why") {
  for (const auto& [claim, token] : {std::pair(vouched(), std::optional<Token>()),
                                     std::pair(signed_at(kNow), std::optional<Token>()),
                                     std::pair(by_token(), std::optional(made_at(kNow)))}) {
    const auto admission = judged(claim, locked("unpaid"), token);
    REQUIRE_FALSE(admission);
    CHECK(admission.error() == Error{Code::locked, "locked: unpaid"});
  }
  CHECK(judged(vouched(), locked()).error().message == "locked");
}

TEST_CASE("who is locked is told so, also where he was kicked") {
  Standing both = locked();
  both.kicked = {kNow, kNow + 1000, "shouting"};
  CHECK(refusal(vouched(), both) == Code::locked);
}

TEST_CASE("who is vouched for and was kicked is out until then, and told why") {
  const auto out = judged(vouched(), kicked(kNow - 10, kNow + 1, "shouting"));
  REQUIRE_FALSE(out);
  CHECK(out.error() == Error{Code::kicked, "thrown out: shouting"});
  CHECK(judged(vouched(), kicked(kNow - 10, kNow + 1)).error().message == "thrown out");
  CHECK(judged(vouched(), kicked(kNow - 10, kNow)));
  CHECK(judged(vouched(), kicked(kNow - 10, kNow - 5)));
}

TEST_CASE("the tokens that somebody had when he was kicked are no good any more, newer ones are") {
  const Standing standing = kicked(kNow - 100, kNow + 1000);
  CHECK(refusal(by_token(), standing, made_at(kNow - 101)) == Code::kicked);
  CHECK(refusal(by_token(), standing, made_at(kNow - 100)) == Code::kicked);
  CHECK(judged(by_token(), standing, made_at(kNow - 99)));
  CHECK(refusal(signed_at(kNow - 100), standing) == Code::kicked);
  CHECK(refusal(signed_at({}), standing) == Code::kicked);
  CHECK(judged(signed_at(kNow - 99), standing));
}

TEST_CASE("they stay so when whoever is vouched for may come in again") {
  const Standing standing = kicked(kNow - 100, kNow - 50);
  CHECK(refusal(by_token(), standing, made_at(kNow - 101)) == Code::kicked);
  CHECK(refusal(signed_at(kNow - 101), standing) == Code::kicked);
}

TEST_CASE("claims are told apart by the token, and without one by the user") {
  CHECK(by_token().key() == signed_at({}).key());
  CHECK(vouched().key() != Claim{.user = "bob"}.key());
  CHECK(vouched().key() != Claim{.proof = Claim::Proof::token, .hash = "alice"}.key());
}

}  // namespace
}  // namespace letterbox::test
