// SPDX-License-Identifier: MIT
//
// The one table of everything that can be set, by flag or environment, and what is made of it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "handlers/events.h"
#include "handlers/origins.h"
#include "handlers/poll.h"
#include "handlers/push.h"
#include "handlers/push_guard.h"
#include "handlers/tokens.h"
#include "mailbox/redis_presence.h"
#include "mailbox/redis_store.h"
#include "redis/address.h"
#include "secret/signed_token.h"
#include "waiting/room.h"

namespace letterbox {

inline constexpr std::string_view kVersion = "0.1.0";

// Descriptors that a program opens besides lanes and nginx's connections: standard streams, log,
// listening sockets, signals, notices, and what is read for /metrics; for each worker epoll, what
// wakes it, a file of gathered requests for each face, Redis, a sentinel, an address. Both with
// some to spare.
constexpr size_t own_descriptors(size_t workers) { return 32 + 8 * workers; }

// If one program serves both faces, one in so many of the connections from nginx is for the private
// one. It is half of what parked polls leave to others: the other half is for public requests that
// are answered at once.
inline constexpr size_t kPrivateShare = 16;

std::span<const Option> poll_options();
std::span<const Option> push_options();

// From a configuration read by the tables above. The error is a sentence.
Result<RedisLogin, std::string> redis_login(const Config& config);
MailboxLimits mailbox_limits(const Config& config);
RoomLimits room_limits(const Config& config, size_t descriptors);
PollRules poll_rules(const Config& config);
EventRules event_rules(const Config& config);
PushRules push_rules(const Config& config);
TokenRules token_rules(const Config& config);
// How long a signed token may live.
uint64_t signed_life_ms(const Config& config);
// What is wrong with the keys is said without saying what is in them.
Result<SignedTokens, std::string> signed_tokens(const Config& config);
Result<std::vector<std::string>, std::string> push_keys(const Config& config);
Result<Origins, std::string> origins(const Config& config);
// Whether --events-to names somebody who can get them.
Result<void, std::string> check_events_to(const Config& config);
PresenceRules presence_rules(const Config& config);
size_t worker_count(const Config& config);

}  // namespace letterbox
