// SPDX-License-Identifier: MIT
#include "secret/random.h"

#include <openssl/rand.h>

#include <cassert>
#include <climits>
#include <stdexcept>

namespace letterbox {

std::string random_secret(size_t bytes) {
  assert(bytes <= INT_MAX);
  std::string secret(bytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(secret.data());
  if (RAND_priv_bytes(out, static_cast<int>(bytes)) != 1) {
    throw std::runtime_error("the system has no random bytes to give");
  }
  return secret;
}

}  // namespace letterbox
