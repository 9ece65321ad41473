// SPDX-License-Identifier: MIT
#include "waiting/lane.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "mailbox/keys.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// A BLPOP that hears nothing is asked again after this, so that lists nobody waits for any more are
// dropped; spread, so that the lanes do not all do it at once.
constexpr uint64_t kAskSeconds = 20;
constexpr uint64_t kAskSpreadSeconds = 20;
constexpr uint64_t kInterruptAgainMs = 1;
constexpr uint64_t kStandBackMs = 5;
constexpr uint64_t kInterruptAwayMs = 200;
// While interrupts are refused.
constexpr uint64_t kAskUninterruptedSeconds = 1;
// After a BLPOP that was refused, doubled up to 8 s.
constexpr uint64_t kRefusedMs = 500;
constexpr unsigned kRefusedDoublings = 4;
// How often the mailboxes of a lane that is deaf are looked at.
constexpr uint64_t kLookMs = 500;
// Attempts to connect that fail while Redis is there: by the second one it has no room. (The first
// one may be the first to notice that Redis goes.)
constexpr unsigned kFailuresBelieved = 2;

}  // namespace

Lane::Lane(Lanes& lanes, const LaneHost& host) : lanes_(lanes), host_(host) {}

void Lane::start() {
  RedisConnection::Events events;
  events.up = [this] { came_up(); };
  events.down = [this] {
    was_down_ = true;
    client_id_.clear();
  };
  events.failed = [this](std::string_view) { failed(); };
  events.logged = false;
  events.figures = host_.figures;
  redis_ = std::make_unique<RedisConnection>(host_.commands, "letterbox-lane", std::move(events));
  redis_->start();
}

// While Redis itself is away, that is nothing of this lane's own: nobody hears then, and the room
// is told once the lane is back.
void Lane::failed() {
  failures_ = host_.commands.up() ? failures_ + 1 : 0;
  if (failures_ > 0) deafen();
  if (failures_ < kFailuresBelieved) return;
  // Not from inside the connection's own callback: it may be closed.
  host_.desk.loop.post([self = shared_from_this()] { self->lanes_.refused(self); });
}

void Lane::deafen() {
  state_ = State::deaf;
  if (!std::exchange(looking_, true)) look_later();
}

void Lane::look_later() {
  Loop& loop = host_.desk.loop;
  loop.at(loop.clock().steady_ms() + kLookMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->looking_ = self->redis_ && self->state_ == State::deaf;
    if (!self->looking_) return;
    self->lanes_.room_->missed_rings(self->host_.desk, self->lanes_.users_of(*self));
    self->look_later();
  });
}

void Lane::came_up() {
  failures_ = 0;
  lanes_.came_up();
  redis_->command({"CLIENT", "ID"}, [this](const Reply& reply) {
    if (reply.ok()) client_id_ = std::to_string(reply.integer());
    interrupt();  // for what was added since it asked
  });
  const bool rings_unheard = std::exchange(was_down_, false);
  ask();
  if (rings_unheard) lanes_.room_->missed_rings(host_.desk, lanes_.users_of(*this));
}

void Lane::ask() {
  if (blocked_ || !redis_ || !redis_->up()) return;
  if (host_.desk.loop.clock().steady_ms() < back_at_ms_) return;  // it will ask by then
  const auto self = shared_from_this();
  auto keys = lanes_.keys_of(self);
  if (keys.empty()) {
    // Struck off. Not from inside the connection's own callback: it is closed by and by.
    host_.desk.loop.post([self] {
      self->close();
      self->lanes_.bury(self);
    });
    return;
  }
  // Redis serves the leftmost list that has something: every list gets its turn at being that.
  std::rotate(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(turn_++ % keys.size()),
              keys.end());
  const uint64_t seconds = lanes_.may_interrupt() ? kAskSeconds + random_below(kAskSpreadSeconds)
                                                  : kAskUninterruptedSeconds;
  const std::string timeout = std::to_string(seconds);
  std::vector<std::string_view> words;
  words.reserve(keys.size() + 2);
  words.emplace_back("BLPOP");
  words.insert(words.end(), keys.begin(), keys.end());
  words.emplace_back(timeout);
  blocked_ = true;
  state_ = State::hears;
  redis_->command(
      words, [this](const Reply& reply) { answered(reply); }, seconds * 1000);
}

void Lane::answered(const Reply& reply) {
  blocked_ = false;
  if (!reply.ok()) {
    // Where the connection is lost, or about to be, came_up() asks again.
    if (reply.came() && !reply.must_reconnect()) refused();
    return;
  }
  refusals_ = 0;
  ask();
  if (reply.size() == 2) {
    lanes_.room_->rung(host_.desk, mailbox_user(reply[0].text()), reply[1].text());
  }
}

// Somebody has put something that is no list where a mailbox should be, or Redis is busy with a
// script. It asks again ever more seldom, and is deaf till then.
void Lane::refused() {
  deafen();
  Loop& loop = host_.desk.loop;
  const uint64_t wait = kRefusedMs << std::min(refusals_++, kRefusedDoublings);
  loop.at(loop.clock().steady_ms() + wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ask();
  });
}

void Lane::close() { redis_.reset(); }

void Lane::interrupt() {
  if (!redis_ || unblocking_ || !lanes_.stale(*this)) return;
  if (!blocked_) {
    ask();
    return;
  }
  if (!lanes_.may_interrupt()) return deafen();  // till it asks by itself
  if (client_id_.empty()) return;                // came_up() is on its way to asking
  unblocking_ = true;
  unblock([weak = weak_from_this()](const Reply& reply) {
    const auto self = weak.lock();
    if (!self) return;
    self->unblocking_ = false;
    // Still stale: the BLPOP's answer is on its way, or Redis got this before the BLPOP.
    if (!self->lanes_.stale(*self)) return;
    if (reply.came() && !reply.ok()) {
      self->lanes_.forbid_interrupts();
      self->deafen();
      return;
    }
    Loop& loop = self->host_.desk.loop;
    loop.at(loop.clock().steady_ms() + (reply.ok() ? kInterruptAgainMs : kInterruptAwayMs), [weak] {
      if (const auto lane = weak.lock()) lane->interrupt();
    });
  });
}

// While writing is paused (FAILOVER does that too) Redis puts a BLPOP off, and 7.0 crashes on a
// CLIENT UNBLOCK of one that was put off. Beside what might write it is put off as well.
void Lane::unblock(RedisConnection::Callback callback) {
  const auto queued = [](const Reply&) {};
  const std::string nobodys = mailbox_key("");
  host_.commands.command({"MULTI"}, queued);
  host_.commands.command({"PEXPIRE", nobodys, "1"}, queued);
  host_.commands.command({"CLIENT", "UNBLOCK", client_id_}, queued);
  host_.commands.command({"EXEC"}, std::move(callback));
}

void Lane::hand_on(std::string_view user, uint64_t since_ms) {
  Loop& loop = host_.desk.loop;
  back_at_ms_ = loop.clock().steady_ms() + kStandBackMs;
  loop.at(back_at_ms_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->ask();
  });
  // Both by the same connection: the lane is off its lists before the bell hangs there.
  if (redis_ && blocked_ && !client_id_.empty()) unblock([](const Reply&) {});
  host_.desk.store.ring(user, since_ms);
}

}  // namespace letterbox
