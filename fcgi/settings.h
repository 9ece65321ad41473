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
#include "handlers/poll.h"
#include "handlers/push.h"
#include "handlers/tokens.h"
#include "mailbox/redis_presence.h"
#include "mailbox/redis_store.h"
#include "redis/address.h"
#include "requests/origins.h"
#include "requests/push_keys.h"
#include "secret/signed_token.h"
#include "version.h"
#include "waiting/room.h"

namespace letterbox {

// Descriptors that a program opens apart from lanes and nginx's connections: standard streams, log,
// listening sockets, signals, notices, and those that /metrics needs; for each worker epoll, what
// wakes it, a file of gathered requests for each face, Redis, a sentinel, an address. Both with
// some to spare.
constexpr size_t own_descriptors(size_t workers) { return 32 + 8 * workers; }

// If one program serves both faces, one in kPrivateShare of the connections from nginx is for the
// private one. It is half of what parked polls leave to others: the other half is for public
// requests that are answered at once.
inline constexpr size_t kPrivateShare = 16;

// Descriptors that a webhook opens, if there is one: connections to the receiver, and those that
// look up its name; its loop, and Redis.
size_t webhook_descriptors(const Config& config);

// Connections of a program that serves polls to Redis, apart from those of `own_descriptors`.
// REQUIRES: the names of keys are set (keys.h), which say how many parts there are.
size_t redis_descriptors(const Config& config);

std::span<const Option> poll_options();
std::span<const Option> push_options();

// From a configuration read by the tables above. The error is a sentence.
Result<RedisLogin, std::string> redis_login(const Config& config);
Result<void, std::string> check_redis_prefix(const Config& config);
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
Result<std::vector<PushKey>, std::string> push_keys(const Config& config);
Result<Origins, std::string> origins(const Config& config);
// Whether --events-to names a user or a group that can get them.
Result<void, std::string> check_events_to(const Config& config);
PresenceRules presence_rules(const Config& config);
size_t worker_count(const Config& config);

}  // namespace letterbox
