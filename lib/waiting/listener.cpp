// SPDX-License-Identifier: MIT
#include "waiting/listener.h"

#include <algorithm>

#include "base/text.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// After what Redis refused, doubled up to 8 s.
constexpr uint64_t kRefusedMs = 500;
constexpr unsigned kRefusedDoublings = 4;
// How often the polls of a deaf listener are looked at.
constexpr uint64_t kLookMs = 500;
// Attempts to connect that fail while Redis is there: by the second one it has no room. (The first
// one may be the first to notice that Redis goes.)
constexpr unsigned kFailuresBelieved = 2;

}  // namespace

void Listener::start() {
  RedisConnection::Events events;
  events.up = [this] { up_again(); };
  events.down = [this] {
    was_down_ = true;
    went_down();
  };
  events.failed = [this](std::string_view) { failed(); };
  events.logged = false;
  events.figures = host_.figures;
  redis_ = std::make_unique<RedisConnection>(host_.commands, name_, std::move(events));
  redis_->start();
}

void Listener::up_again() {
  failures_ = 0;
  came_up();
  end_predecessor();
  redis_->command({"CLIENT", "INFO"},
                  [this, rings_unheard = std::exchange(was_down_, false)](const Reply& reply) {
                    std::string_view line = reply.text();
                    const auto id = take_until(line, ' ');
                    const auto address = take_until(line, ' ');
                    if (id.starts_with("id=") && address.starts_with("addr=")) {
                      seen_as_id_ = id.substr(3);
                      seen_as_address_ = address.substr(5);
                    }
                    if (rings_unheard && reply.came()) look();
                  });
  ask();
}

// What its old connection takes nobody gets to see. (If Redis was started again meanwhile, or
// another one is the master, none there is both. A socket file loses no connection half, and would
// be everybody's address.)
void Listener::end_predecessor() {
  const std::string id = std::exchange(seen_as_id_, {});
  if (id.empty() || seen_as_address_.ends_with(":0")) return;
  redis_->command({"CLIENT", "KILL", "ID", id, "ADDR", seen_as_address_}, [](const Reply&) {});
}

// While Redis itself is away, that is nothing of this listener's own: nobody hears then, and the
// room is told once it is back.
void Listener::failed() {
  failures_ = host_.commands.up() ? failures_ + 1 : 0;
  if (failures_ > 0) deafen();
  if (failures_ < kFailuresBelieved) return;
  // Not from inside the connection's own callback: it may be closed.
  loop().post([self = shared_from_this()] { self->no_room(); });
}

void Listener::look() { room_.missed_rings(host_.desk, users()); }

void Listener::deafen() {
  state_ = State::deaf;
  if (!std::exchange(looking_, true)) look_later();
}

void Listener::look_later() {
  loop().at(loop().clock().steady_ms() + kLookMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->looking_ = self->redis_ && self->state_ == State::deaf;
    if (!self->looking_) return;
    self->look();
    self->look_later();
  });
}

// Somebody has put something that is no list where one should be, or Redis is busy with a script.
void Listener::refused(const Reply& reply) {
  // If the connection is lost, or about to be, up_again() asks.
  if (!reply.came() || reply.must_reconnect()) return;
  deafen();
  const uint64_t wait = kRefusedMs << std::min(refusals_++, kRefusedDoublings);
  loop().at(loop().clock().steady_ms() + wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ask();
  });
}

}  // namespace letterbox
