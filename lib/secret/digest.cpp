// SPDX-License-Identifier: MIT
#include "secret/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>

#include "base/text.h"

namespace letterbox {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest sha256(std::string_view bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  const Digest digest = sha256(bytes);
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool same_secret(std::string_view a, std::string_view b) {
  const Digest of_a = sha256(a);
  const Digest of_b = sha256(b);
  return CRYPTO_memcmp(of_a.data(), of_b.data(), of_a.size()) == 0;
}

}  // namespace letterbox
