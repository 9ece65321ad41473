// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>

#include "secret/digest.h"
#include "secret/random.h"

namespace letterbox {
namespace {

TEST_CASE("the digest is SHA-256 of FIPS 180") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("secrets are equal if every byte is") {
  const std::string key = random_secret(32);
  CHECK(same_secret(key, key));
  CHECK(same_secret("", ""));
  CHECK_FALSE(same_secret(key, ""));
  CHECK_FALSE(same_secret(key, key + '\0'));
  CHECK_FALSE(same_secret(key, key.substr(1)));
  for (size_t i = 0; i < key.size(); ++i) {
    std::string other = key;
    other[i] ^= 1;
    CHECK_FALSE(same_secret(key, other));
  }
}

TEST_CASE("secrets whose digests begin alike are not equal") {
  const std::string key = "a secret";
  const std::string digest = sha256_hex(key);
  int alike = 0;
  for (int i = 0; alike < 4; ++i) {
    const std::string other = std::to_string(i);
    if (sha256_hex(other).substr(0, 2) != digest.substr(0, 2)) continue;
    ++alike;
    CHECK_FALSE(same_secret(key, other));
  }
}

TEST_CASE("random secrets have the length asked for, and none is made twice") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string secret = random_secret(16);
    CHECK(secret.size() == 16);
    CHECK(seen.insert(secret).second);
  }
  CHECK(random_secret(0).empty());
}

}  // namespace
}  // namespace letterbox
