// SPDX-License-Identifier: MIT
#include "mailbox/redis_unheard.h"

#include <array>
#include <cassert>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/message.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

// Entries that are removed in one step because there are too many.
constexpr size_t kRemovedAtOnce = 1000;
// The index in lease.lua's reply at which the entries begin.
constexpr size_t kLeasedHead = 2;

}  // namespace

std::optional<UnheardEntry> parse_unheard(std::string_view text) {
  std::string_view rest = text;
  const auto user = take_until(rest, ' ');
  const auto id = Cursor::parse(take_until(rest, ' '));
  const auto tries = parse_u64(rest);
  if (!valid_user(user) || !id || id->seq == 0 || !tries || *tries == 0) return std::nullopt;
  return UnheardEntry{std::string(text), std::string(user), *id, static_cast<unsigned>(*tries)};
}

void RedisUnheard::lease(size_t most, Then<Leased> then) {
  const uint64_t now = clock_.wall_ms();
  const std::string now_text = std::to_string(now);
  const std::string most_text = std::to_string(most);
  const std::string until = std::to_string(now + kUnheardLeaseMs);
  const std::array<std::string_view, 1> keys{shared_keys(redis_.part()).unheard};
  const std::array<std::string_view, 6> arguments{now_text,
                                                  most_text,
                                                  until,
                                                  kTextOf<kUnheardEntries>,
                                                  kTextOf<kRemovedAtOnce>,
                                                  kTextOf<kMailboxLifeMs>};
  redis_.eval(lua::lease, keys, arguments, [this, then = std::move(then)](const Reply& reply) {
    if (!reply.ok() || reply.size() < kLeasedHead) return then(store_unavailable());
    Leased leased;
    leased.waiting = reply[0].number();
    leased.dropped = reply[1].number();
    for (size_t i = kLeasedHead; i < reply.size(); ++i) {
      auto entry = parse_unheard(reply[i].text());
      // (What is in another part's place was put there by hand, and is removed as well.)
      if (entry && part_of(entry->user) == redis_.part()) {
        leased.entries.push_back(std::move(*entry));
      } else {
        redis_.command({"ZREM", shared_keys(redis_.part()).unheard, reply[i].text()},
                       [](const Reply&) {});
      }
    }
    then(std::move(leased));
  });
}

void RedisUnheard::look(const UnheardEntry& entry, Then<std::optional<std::string>> then) {
  const MailboxKeys names(entry.user);
  assert(names.part == redis_.part());
  const std::array<std::string_view, 3> keys{names.base, names.unacked, names.clients};
  const std::string epoch = std::to_string(entry.id.epoch);
  const std::string seq = std::to_string(entry.id.seq);
  const std::array<std::string_view, 2> arguments{epoch, seq};
  redis_.eval(lua::unheard, keys, arguments, [this, then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    const auto element = parse_element(reply.text());
    const bool is_kept = element && (element->expires == 0 || element->expires > clock_.wall_ms());
    then(is_kept ? std::optional(std::string(reply.text())) : std::nullopt);
  });
}

void RedisUnheard::remove(const UnheardEntry& entry) {
  redis_.command({"ZREM", shared_keys(redis_.part()).unheard, entry.text}, [](const Reply&) {});
}

// (XX: an entry that was dropped meanwhile stays away.)
void RedisUnheard::put_off(const UnheardEntry& entry, uint64_t ms) {
  const std::string at = std::to_string(clock_.wall_ms() + ms);
  redis_.command({"ZADD", shared_keys(redis_.part()).unheard, "XX", at, entry.text},
                 [](const Reply&) {});
}

}  // namespace letterbox
