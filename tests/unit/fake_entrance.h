// SPDX-License-Identifier: MIT
//
// The waiting room, the review of the polls that wait there, and the gate before it, all in the
// hands of the test. For one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "mailbox/admission_cache.h"
#include "requests/gate.h"
#include "tests/unit/fake_access.h"
#include "tests/unit/fake_waiting.h"
#include "tests/unit/token_maker.h"
#include "waiting/review.h"

namespace letterbox::test {

inline constexpr std::string_view kSigningSecret = "a secret of thirty-two bytes, or more";

// Accepts tokens signed with that secret.
inline SignedTokens signing_keys() {
  auto keys = SignedTokens::with({std::string(kSigningSecret)},
                                 {.audience = {}, .life_max_ms = 86'400'000, .leeway_ms = 5000});
  REQUIRE(keys);
  return *std::move(keys);
}

struct FakeEntrance : FakeWaiting {
  FakeEntrance() { review.listening(desk, access); }

  // A token of alice's, signed now, good for that many seconds.
  std::string signed_token(uint64_t seconds, std::string_view more = "") const {
    const uint64_t now = clock.wall_ms() / 1000;
    return hs256(kSigningSecret, R"({"alg":"HS256"})",
                 R"({"sub":"alice","iat":)" + std::to_string(now) + R"(,"exp":)" +
                     std::to_string(now + seconds) + std::string(more) + "}");
  }

  FakeAccess access{clock};
  AdmissionCache cache{clock};
  Review review{clock, cache, room};
  SignedTokens keys = signing_keys();
  Origins origins = Origins::parse("https://named.example").value();
  Gate gate{desk, access, cache, review, keys, origins, clock, true};
};

}  // namespace letterbox::test
