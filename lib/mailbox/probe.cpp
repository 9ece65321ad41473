// SPDX-License-Identifier: MIT
#include "mailbox/probe.h"

#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/keys.h"

namespace letterbox {

namespace {

// However many ask, Redis has no more than four such writes a second from each worker.
constexpr uint64_t kFreshMs = 250;
constexpr std::string_view kLifeMs = "60000";

// A reign is the first epoch of its mailboxes. reign.lua refuses the same.

std::string reign_trouble(const std::string& key, const Reply& reply, uint64_t now) {
  if (reply.ok() && reply.is_nil()) return "";
  if (!reply.ok()) return key + " can't be read: " + std::string(reply.error());
  const auto reign = parse_u64(reply.text());
  if (reign && *reign <= now + kAheadMs) return "";
  return key + " in Redis holds no time that can be";
}

}  // namespace

WriteProbe::WriteProbe(Loop& loop, Redis& redis, std::string_view program)
    : loop_(loop), redis_(redis), key_(ready_key(program, redis.part())) {}

void WriteProbe::ask(Then then) {
  // A write that went through says nothing once the connection is lost.
  const bool stands = !trouble_.empty() || redis_.up();
  if (waiting_.empty() && stands && loop_.clock().steady_ms() < fresh_until_ms_) {
    then(trouble_);
    return;
  }
  waiting_.push_back(std::move(then));
  if (waiting_.size() == 1) write();
}

void WriteProbe::write() {
  assert(!waiting_.empty() && !deadline_);
  deadline_ = loop_.at(loop_.clock().steady_ms() + kReadyMs, [this] {
    deadline_.reset();
    rare<"Redis does not take the write of a probe in time">();
    settle("Redis has not answered within a second");
  });
  const std::string now = std::to_string(loop_.clock().wall_ms());
  redis_.command({"SET", key_, now, "PX", kLifeMs}, [this, round = ++round_](const Reply& reply) {
    // If Redis is away, the callback of GET below says so.
    if (round != round_ || waiting_.empty() || reply.ok() || !reply.came()) return;
    settle("Redis takes no write: " + std::string(reply.error()));
  });
  const std::string& reign = shared_keys(redis_.part()).reign;
  redis_.command({"GET", reign}, [this, &reign, round = round_](const Reply& reply) {
    if (round != round_ || waiting_.empty()) return;
    if (reply.came()) {
      settle(reign_trouble(reign, reply, loop_.clock().wall_ms()));
    } else {
      settle("Redis is away: " + std::string(redis_.trouble()));
    }
  });
}

void WriteProbe::settle(std::string trouble) {
  assert(!waiting_.empty());
  if (deadline_) loop_.cancel(*std::exchange(deadline_, std::nullopt));
  trouble_ = std::move(trouble);
  fresh_until_ms_ = loop_.clock().steady_ms() + kFreshMs;
  for (const auto& then : std::exchange(waiting_, {})) then(trouble_);
}

}  // namespace letterbox
