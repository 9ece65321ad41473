// SPDX-License-Identifier: MIT
#include "waiting/lane.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"
#include "mailbox/keys.h"
#include "waiting/room.h"

namespace letterbox {

namespace {

// A BLPOP that hears nothing is asked again after kListenSeconds and some, so that lists nobody
// waits for any more are dropped; spread, so that the lanes do not all do it at once.
constexpr uint64_t kAskSpreadSeconds = kListenSeconds;
// A lane takes in those who come within this time together. (Polls read their list themselves as
// they come, and messages ring at the address: it is for what is pushed by hand right after.)
constexpr uint64_t kGatherMs = 20;
constexpr uint64_t kInterruptAgainMs = 1;
constexpr uint64_t kInterruptAwayMs = 200;
// How long a BLPOP lasts while Redis refuses interrupts.
constexpr uint64_t kAskUninterruptedSeconds = 1;

}  // namespace

Lane::Lane(Lanes& lanes, const ListenerHost& host)
    : Listener(host, *lanes.room_, "letterbox-lane"), lanes_(lanes) {}

void Lane::came_up() {
  lanes_.came_up();
  redis_->command({"CLIENT", "ID"}, [this](const Reply& reply) {
    if (reply.ok()) client_id_ = std::to_string(reply.integer());
    interrupt();  // for keys that were added since the last BLPOP
  });
}

void Lane::no_room() { lanes_.refused(self()); }

std::vector<std::string> Lane::users() const { return lanes_.users_of(*this); }

void Lane::ask() {
  if (blocked_ || !up()) return;
  auto keys = lanes_.keys_of(self());
  if (keys.empty()) {
    // The lane has been struck off. Its connection can't be closed from inside its own callback, so
    // that is posted.
    loop().post([lane = self()] {
      lane->close();
      lane->lanes_.bury(lane);
    });
    return;
  }
  // Redis serves the leftmost list that has an element, so each list in turn becomes the leftmost.
  std::rotate(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(turn_++ % keys.size()),
              keys.end());
  const uint64_t seconds = lanes_.may_interrupt() ? kListenSeconds + random_below(kAskSpreadSeconds)
                                                  : kAskUninterruptedSeconds;
  const std::string timeout = std::to_string(seconds);
  std::vector<std::string_view> words;
  words.reserve(keys.size() + 2);
  words.emplace_back("BLPOP");
  words.insert(words.end(), keys.begin(), keys.end());
  words.emplace_back(timeout);
  assert(!blocked_ && words.size() == keys.size() + 2);
  blocked_ = true;
  state_ = State::hears;
  redis_->command(
      words, [this](const Reply& reply) { answered(reply); }, seconds * 1000);
}

void Lane::answered(const Reply& reply) {
  assert(blocked_);
  blocked_ = false;
  if (!reply.ok()) return refused(reply);
  accepted();
  ask();
  if (reply.size() == 2) {
    room_.found(host_.desk, mailbox_user(reply[0].text()), reply[1].text());
  }
}

void Lane::interrupt_soon() { interrupt_after(kGatherMs); }

void Lane::interrupt_after(uint64_t ms) {
  loop().at(loop().clock().steady_ms() + ms, [weak = weak_from_this()] {
    if (const auto lane = weak.lock()) static_cast<Lane&>(*lane).interrupt();
  });
}

void Lane::interrupt() {
  if (!redis_ || unblocking_ || !lanes_.stale(*this)) return;
  if (!blocked_) {
    ask();
    return;
  }
  if (!lanes_.may_interrupt()) return deafen();  // till it asks by itself
  if (client_id_.empty()) return;                // came_up() is on its way to asking
  assert(blocked_ && !client_id_.empty());
  unblocking_ = true;
  unblock([weak = weak_from_this()](const Reply& reply) {
    const auto listener = weak.lock();
    if (!listener) return;
    Lane& lane = static_cast<Lane&>(*listener);
    assert(lane.unblocking_);
    lane.unblocking_ = false;
    // If the lane is still stale, either the BLPOP's answer is on its way or Redis got this before
    // the BLPOP.
    if (!lane.lanes_.stale(lane)) return;
    if (reply.came() && !reply.ok()) {
      rare<"Redis refuses to interrupt a lane">();
      lane.lanes_.forbid_interrupts();
      lane.deafen();
      return;
    }
    lane.interrupt_after(reply.ok() ? kInterruptAgainMs : kInterruptAwayMs);
  });
}

// While writes are paused (FAILOVER pauses them too) Redis postpones a BLPOP, and Redis 7.0 crashes
// on a CLIENT UNBLOCK of a postponed client. In a transaction with a command that might write, the
// CLIENT UNBLOCK is postponed as well.
void Lane::unblock(Redis::Callback callback) {
  const auto queued = [](const Reply&) {};
  const std::string nobodys = nobodys_key(host_.commands.part());
  host_.commands.command({"MULTI"}, queued);
  host_.commands.command({"PEXPIRE", nobodys, "1"}, queued);
  host_.commands.command({"CLIENT", "UNBLOCK", client_id_}, queued);
  host_.commands.command({"EXEC"}, std::move(callback));
}

}  // namespace letterbox
