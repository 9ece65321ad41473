// SPDX-License-Identifier: MIT
//
// The waiting room with the door that leads into it, and the gate before that, all in the hands of
// the test. For one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "handlers/gate.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_waiting.h"
#include "tests/unit/token_maker.h"
#include "waiting/door.h"

namespace letterbox::test {

inline constexpr std::string_view kSigningSecret = "a secret of thirty-two bytes, or more";

// Believes what is signed by that secret.
inline SignedTokens signing_keys() {
  auto keys = SignedTokens::with({std::string(kSigningSecret)},
                                 {.audience = {}, .life_max_ms = 86'400'000, .leeway_ms = 5000});
  REQUIRE(keys);
  return *std::move(keys);
}

// Claims of alice. Tokens by the hash: it is all that the door knows of them.
inline Claim vouched(std::string user = "alice") { return {.user = std::move(user)}; }
inline Claim by_token(std::string hash, std::string user = "alice") {
  return {.proof = Claim::Proof::token, .user = std::move(user), .hash = std::move(hash)};
}

struct FakeEntrance : FakeWaiting {
  explicit FakeEntrance(size_t most_known = Door::kMost) : door(clock, room, most_known) {
    door.open(desk, access);
  }

  // A token of alice's that is good for an hour.
  Token& hand_out(const std::string& hash) {
    Token& token = access.records[hash];
    token.id = "alice." + hash;
    token.created_ms = clock.wall_ms();
    token.expires_ms = wall_in(3'600'000);
    return token;
  }
  // A signed one of alice's, of now, for so long.
  std::string signed_token(uint64_t seconds, std::string_view more = "") const {
    const uint64_t now = clock.wall_ms() / 1000;
    return hs256(kSigningSecret, R"({"alg":"HS256"})",
                 R"({"sub":"alice","iat":)" + std::to_string(now) + R"(,"exp":)" +
                     std::to_string(now + seconds) + std::string(more) + "}");
  }

  FakeAccess access{clock};
  Door door;
  SignedTokens keys = signing_keys();
  Origins origins = Origins::parse("https://named.example").value();
  Gate gate{desk, access, door, keys, origins, clock, true};
};

}  // namespace letterbox::test
