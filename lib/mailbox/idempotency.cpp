// SPDX-License-Identifier: MIT
#include "mailbox/idempotency.h"

#include <array>
#include <utility>

#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "scripts.h"
#include "secret/digest.h"

namespace letterbox {

namespace {

// 128 bits: keys are no secrets, and nobody gains by two of the same hash.
std::string hash_of(std::string_view text) { return sha256_hex(text).substr(0, 32); }

// "STATUS BODY"
std::optional<KeyClaim::Answer> to_answer(std::string_view text) {
  const auto status = parse_u64(take_until(text, ' '));
  if (!status || text.empty()) return std::nullopt;
  return KeyClaim::Answer{static_cast<int>(*status), std::string(text)};
}

}  // namespace

KeyUse KeyUse::of(std::string_view key, std::initializer_list<std::string_view> parts) {
  // (With their lengths, so that no two lists of parts are the same text.)
  std::string content;
  for (const auto part : parts) (content += std::to_string(part.size()) + ':') += part;
  return {hash_of(key), hash_of(content)};
}

std::string KeyUse::record(size_t index) const {
  return hash_of(key + content + std::to_string(index));
}

RedisIdempotencyKeys::RedisIdempotencyKeys(Redis& redis, uint64_t life_ms)
    : redis_(redis), life_(std::to_string(life_ms)) {}

void RedisIdempotencyKeys::claim(const KeyUse& use, Then<KeyClaim> then) {
  const std::string key = idempotency_key(use.key);
  const std::array<std::string_view, 1> keys{key};
  const std::array<std::string_view, 2> arguments{use.content, life_};
  redis_.eval(lua::claim, keys, arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    if (reply.is_nil()) return then(KeyClaim{true, std::nullopt});
    then(KeyClaim{false, to_answer(reply.text())});
  });
}

void RedisIdempotencyKeys::keep(const KeyUse& use, const KeyClaim::Answer& answer) {
  const std::string key = idempotency_key(use.key);
  const std::string value = use.content + ' ' + std::to_string(answer.status) + ' ' + answer.body;
  redis_.command({"SET", key, value, "XX", "KEEPTTL"}, [](const Reply&) {});
}

}  // namespace letterbox
