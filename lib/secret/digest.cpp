// SPDX-License-Identifier: MIT
#include "secret/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <cassert>

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
  std::string text = hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  assert(text.size() == 2 * digest.size());
  return text;
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
  Digest digest;
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  assert(size == digest.size());
  return {digest.begin(), digest.end()};
}

bool same_secret(std::string_view a, std::string_view b) {
  const Digest of_a = sha256(a);
  const Digest of_b = sha256(b);
  return CRYPTO_memcmp(of_a.data(), of_b.data(), of_a.size()) == 0;
}

}  // namespace letterbox
