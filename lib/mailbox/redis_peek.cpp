// SPDX-License-Identifier: MIT
//
// RedisStore::peek(). peek.lua returns the values as they are in Redis, and this file parses them,
// since time costs less here than in Redis.
#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "base/text.h"
#include "mailbox/keys.h"
#include "mailbox/redis_store.h"
#include "model/message.h"
#include "scripts.h"

namespace letterbox {

namespace {

// The parts of peek.lua's reply for a client.
enum Part : size_t { kBase, kLength, kLine, kList };

// "EPOCH BASE TOUCHED[+BYTES][<EPOCH:LAST]...[ WATCHER UNTIL]..."; false if it is anything else.
bool take_base(std::string_view record, uint64_t length, std::string_view watcher,
               Glimpse& glimpse) {
  const auto epoch = parse_u64(take_until(record, ' '));
  const auto base = parse_u64(take_until(record, ' '));
  if (!epoch || !base) return false;
  if (*epoch != 0) glimpse.newest = {*epoch, *base + length};
  take_until(record, ' ');
  while (!record.empty()) {
    const std::string_view who = take_until(record, ' ');
    const auto until = parse_u64(take_until(record, ' '));
    if (!until) return false;
    if (who == watcher) glimpse.watch_until = *until;
  }
  return true;
}

// "EPOCH SEQ SEEN PARKED".
bool take_line(std::string_view line, Glimpse& glimpse) {
  std::array<uint64_t, 4> fields{};
  for (auto& field : fields) {
    const auto number = parse_u64(take_until(line, ' '));
    if (!number) return false;
    field = *number;
  }
  glimpse.noted = true;
  if (fields[0] != 0) glimpse.cursor = {fields[0], fields[1]};
  glimpse.park_until = fields[3];
  return true;
}

std::optional<Glimpse> to_glimpse(const Reply& reply, size_t at, size_t width,
                                  std::string_view watcher) {
  for (size_t part = 0; part < width; ++part) {
    if (!reply[at + part].ok()) return std::nullopt;
  }
  Glimpse glimpse;
  const Reply record = reply[at + kBase];
  const auto length = reply[at + kLength].number();
  const Reply line = reply[at + kLine];
  const bool right = (record.is_nil() || take_base(record.text(), length, watcher, glimpse)) &&
                     (line.is_nil() || take_line(line.text(), glimpse));
  if (!right) return std::nullopt;
  if (width <= kList) return glimpse;
  const Reply list = reply[at + kList];
  for (size_t i = 0; i < list.size(); ++i) {
    glimpse.raw = glimpse.raw || parse_ring(list[i].text()).kind == Ring::Kind::raw;
  }
  return glimpse;
}

}  // namespace

void RedisStore::peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) {
  const size_t width = lists ? kList + 1 : kList;
  std::vector<MailboxKeys> mailboxes;
  std::vector<std::string_view> keys;
  std::vector<std::string_view> names;
  mailboxes.reserve(clients.size());
  for (const auto& [user, client] : clients) {
    const auto& mailbox = mailboxes.emplace_back(keys_of(user));
    keys.insert(keys.end(), {mailbox.base, mailbox.unacked, mailbox.clients});
    if (lists) keys.push_back(mailbox.mailbox);
    names.push_back(client);
  }
  redis_.eval(lua::peek, keys, names,
              [this, width, count = clients.size(), then = std::move(then)](const Reply& reply) {
                if (!reply.ok() || reply.size() != count * width) return then(store_unavailable());
                Glimpses glimpses;
                glimpses.reserve(count);
                for (size_t i = 0; i < count; ++i) {
                  glimpses.push_back(to_glimpse(reply, i * width, width, watcher_));
                }
                assert(glimpses.size() == count);
                then(std::move(glimpses));
              });
}

}  // namespace letterbox
