// SPDX-License-Identifier: MIT
#include "waiting/address.h"

#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/keys.h"
#include "model/message.h"
#include "waiting/room.h"

namespace letterbox {

void hear_own_pushes(RedisStore& store, Desk& desk, Room& room) {
  store.pushes().tell_here(
      {.rung = [&desk, &room](std::string_view user,
                              const Ring& ring) { room.rung(desk, user, ring); },
       .in_doubt = [&desk, &room](
                       const std::vector<std::string>& users) { room.missed_rings(desk, users); }});
}

Address::Address(const ListenerHost& host, Room& room, std::string_view program)
    : Listener(host, room, "letterbox-address"), key_(address_key(program, host.commands.part())) {}

void Address::came_up() { many_at_once_ = true; }

std::vector<std::string> Address::users() const {
  auto users = room_.users();
  std::erase_if(users, [part = host_.commands.part()](const std::string& user) {
    return part_of(user) != part;
  });
  return users;
}

void Address::ask() {
  if (blocked_ || !up()) return;
  const uint64_t now = loop().clock().steady_ms();
  const bool may_have_expired = now > emptied_ms_.value_or(now) + kUnemptiedMs;
  if (may_have_expired || !emptied_ms_) emptied_ms_ = now;
  blocked_ = true;
  state_ = State::hears;
  if (many_at_once_) {
    ask_for_many();
  } else {
    ask_for_one();
  }
  if (may_have_expired) look();
}

void Address::ask_for_many() {
  redis_->command(
      {"BLMPOP", kTextOf<kListenSeconds>, "1", key_, "LEFT", "COUNT", kTextOf<kHeardRings>},
      [this](const Reply& reply) {
        blocked_ = false;
        if (!reply.ok()) {
          // If the connection is lost, or about to be dropped, up_again() asks.
          if (!reply.came() || reply.must_reconnect()) return;
          // Redis 6.2 does not know it, or it is not allowed.
          rare<"Redis refuses to give many rings at once">();
          many_at_once_ = false;
          return ask();
        }
        accepted();
        ask();
        take(reply.size() == 2 ? reply[1] : reply);
      },
      kListenSeconds * 1000);
}

void Address::ask_for_one() {
  redis_->command(
      {"BLPOP", key_, kTextOf<kListenSeconds>},
      [this](const Reply& reply) {
        if (!reply.ok()) {
          blocked_ = false;
          return refused(reply);
        }
        accepted();
        if (reply.size() == 2) return heard_one(reply[1].text());
        blocked_ = false;
        ask();
      },
      kListenSeconds * 1000);
}

// The next BLPOP goes out only after the LPOP has returned, so rings come in their order.
void Address::heard_one(std::string_view element) {
  assert(blocked_);
  redis_->command({"LPOP", key_, kTextOf<kHeardRings>}, [this](const Reply& reply) {
    blocked_ = false;
    ask();
    take(reply);
  });
  heard(element);
}

void Address::take(const Reply& elements) {
  if (elements.size() < kHeardRings) emptied_ms_ = loop().clock().steady_ms();
  for (size_t i = 0; i < elements.size(); ++i) heard(elements[i].text());
}

void Address::heard(std::string_view element) {
  const auto rings = parse_addressed(element);
  if (rings.empty()) {
    rare<"an address was given up, and all of it is looked at">();
    return look();
  }
  for (const auto& [user, ring] : rings) room_.rung(host_.desk, user, ring);
}

}  // namespace letterbox
