// SPDX-License-Identifier: MIT
#include "waiting/listener.h"

#include <algorithm>
#include <cassert>

#include "base/rare.h"
#include "base/text.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// The first wait after a refused command. It doubles up to 8 s.
constexpr uint64_t kRefusedMs = 500;
constexpr unsigned kRefusedDoublings = 4;
// How often a deaf listener has its users' polls looked at.
constexpr uint64_t kLookMs = 500;
// After this many failed attempts in a row while Redis is up, Redis has no room for the connection.
// (The first failure may be the first sign that Redis is going away.)
constexpr unsigned kFailuresBelieved = 2;

}  // namespace

void Listener::start() {
  assert(!redis_);
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

// Redis may still serve the old connection, and no program reads what it takes. So the new
// connection kills it. (If Redis was restarted meanwhile, or another server is the master now, no
// connection there has both the same id and the same address. A unix socket is skipped: it can't
// lose one end, and all its connections have the same address.)
void Listener::end_predecessor() {
  const std::string id = std::exchange(seen_as_id_, {});
  if (id.empty() || seen_as_address_.ends_with(":0")) return;
  redis_->command({"CLIENT", "KILL", "ID", id, "ADDR", seen_as_address_}, [](const Reply&) {});
}

// If Redis itself is away the failure is not the listener's own: all listeners are cut off then,
// and the room is told once Redis is back.
void Listener::failed() {
  failures_ = host_.commands.up() ? failures_ + 1 : 0;
  if (failures_ > 0) deafen();
  if (failures_ < kFailuresBelieved) return;
  // no_room() may close the connection, which its own callback must not do. So it is posted.
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

// A key holds something that is no list, or Redis is busy with a script.
void Listener::refused(const Reply& reply) {
  // If the connection is lost, or about to be dropped, up_again() asks.
  if (!reply.came() || reply.must_reconnect()) return;
  deafen();
  rare<"Redis refuses to be listened to">();
  const uint64_t wait = kRefusedMs << std::min(refusals_++, kRefusedDoublings);
  loop().at(loop().clock().steady_ms() + wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ask();
  });
}

}  // namespace letterbox
