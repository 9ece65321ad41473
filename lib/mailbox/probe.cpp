// SPDX-License-Identifier: MIT
#include "mailbox/probe.h"

#include <utility>

#include "base/text.h"
#include "mailbox/keys.h"

namespace letterbox {

namespace {

constexpr uint64_t kPatienceMs = 1000;
// However many ask, Redis has no more than four such writes a second from each worker.
constexpr uint64_t kFreshMs = 250;
constexpr std::string_view kLifeMs = "60000";

// A reign is the first epoch of its mailboxes. reign.lua refuses the same.
constexpr uint64_t kAheadMostMs = 31'557'600'000;  // a year

std::string reign_trouble(const Reply& reply, uint64_t now) {
  if (reply.ok() && reply.is_nil()) return "";
  if (!reply.ok()) return std::string(kReignKey) + " can't be read: " + std::string(reply.error());
  const auto reign = parse_u64(reply.text());
  if (reign && *reign <= now + kAheadMostMs) return "";
  return std::string(kReignKey) + " in Redis holds no time that can be";
}

}  // namespace

WriteProbe::WriteProbe(Loop& loop, RedisConnection& redis, std::string_view program)
    : loop_(loop), redis_(redis), key_(ready_key(program)) {}

void WriteProbe::ask(Then then) {
  // A write that went through says nothing once its connection is lost.
  const bool stands = !trouble_.empty() || redis_.up();
  if (waiting_.empty() && stands && loop_.clock().steady_ms() < fresh_until_ms_) {
    then(trouble_);
    return;
  }
  waiting_.push_back(std::move(then));
  if (waiting_.size() == 1) write();
}

void WriteProbe::write() {
  deadline_ = loop_.at(loop_.clock().steady_ms() + kPatienceMs, [this] {
    deadline_.reset();
    settle("Redis has not answered within a second");
  });
  const std::string now = std::to_string(loop_.clock().wall_ms());
  redis_.command({"SET", key_, now, "PX", kLifeMs}, [this, round = ++round_](const Reply& reply) {
    // If Redis is away the answer below says so.
    if (round != round_ || waiting_.empty() || reply.ok() || !reply.came()) return;
    settle("Redis takes no write: " + std::string(reply.error()));
  });
  redis_.command({"GET", kReignKey}, [this, round = round_](const Reply& reply) {
    if (round != round_ || waiting_.empty()) return;
    if (reply.came()) {
      settle(reign_trouble(reply, loop_.clock().wall_ms()));
    } else {
      settle("Redis is away: " + std::string(redis_.trouble()));
    }
  });
}

void WriteProbe::settle(std::string trouble) {
  if (deadline_) loop_.cancel(*std::exchange(deadline_, std::nullopt));
  trouble_ = std::move(trouble);
  fresh_until_ms_ = loop_.clock().steady_ms() + kFreshMs;
  for (const auto& then : std::exchange(waiting_, {})) then(trouble_);
}

}  // namespace letterbox
