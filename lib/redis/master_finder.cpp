// SPDX-License-Identifier: MIT
#include "redis/master_finder.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "base/random.h"

namespace letterbox {

namespace {

// How long a sentinel may take. One whose host is gone must not hold up the others' answers for
// long.
constexpr uint64_t kPatienceMs = 1000;
constexpr uint64_t kAgainMs = 400;
constexpr uint64_t kAgainSpreadMs = 200;

// The number of the failover that made this server the master. `description` is a sentinel's reply:
// names and values in turn.
uint64_t config_epoch(const Reply& description) {
  for (size_t i = 0; i + 1 < description.size(); i += 2) {
    if (description[i].text() == "config-epoch") {
      return description[i + 1].number();
    }
  }
  return 0;
}

}  // namespace

MasterFinder::MasterFinder(Loop& loop, const RedisLogin& login, Log& log, Found found)
    : loop_(loop),
      name_(login.address.master),
      found_(std::move(found)),
      choice_(login.address.sentinels.size()) {
  for (const auto& address : login.address.sentinels) {
    Sentinel sentinel;
    sentinel.login.address = address;
    sentinel.login.patience_ms = std::min(login.patience_ms, kPatienceMs);
    sentinel.login.resolver = login.resolver;
    sentinels_.push_back(std::move(sentinel));
  }
  // Connections refer to their logins. The vector is complete, so the logins no longer move.
  for (auto& [sentinel_login, redis] : sentinels_) {
    redis = std::make_unique<RedisConnection>(loop, sentinel_login, log, "letterbox-sentinel",
                                              RedisConnection::Events{});
    redis->start();
  }
}

MasterFinder::~MasterFinder() {
  if (next_) loop_.cancel(*next_);
}

void MasterFinder::look() {
  if (asked_ > 0) return;
  if (next_) loop_.cancel(*std::exchange(next_, std::nullopt));
  heard_ = false;
  words_.clear();
  asked_ = sentinels_.size();
  for (const auto& sentinel : sentinels_) ask(*sentinel.redis);
}

// Asks for the epoch before the address. If a failover falls between the two, the new master comes
// with the old epoch, which changes nothing until the next round. The other way round, the old
// master would come with the new epoch, and would be believed.
void MasterFinder::ask(RedisConnection& sentinel) {
  sentinel.command({"SENTINEL", "master", name_}, [this, &sentinel](const Reply& reply) {
    heard_ = heard_ || reply.came();
    if (!reply.ok()) return answered();
    ask_where(sentinel, config_epoch(reply));
  });
}

void MasterFinder::ask_where(RedisConnection& sentinel, uint64_t epoch) {
  sentinel.command({"SENTINEL", "get-master-addr-by-name", name_},
                   [this, epoch](const Reply& reply) {
                     if (reply.size() == 2) {
                       RedisAddress master;
                       master.host = reply[0].text();
                       master.port = static_cast<int>(reply[1].integer());
                       words_.push_back({master, epoch});
                     }
                     answered();
                   });
}

void MasterFinder::answered() {
  assert(asked_ > 0 && words_.size() <= sentinels_.size());
  if (--asked_ > 0) return;
  next_ = loop_.at(loop_.clock().steady_ms() + kAgainMs + random_below(kAgainSpreadMs), [this] {
    next_.reset();
    look();
  });
  if (!words_.empty()) {
    found_(choice_.choose(words_, loop_.now_ms()));
  } else if (heard_) {
    found_("no sentinel knows a master of the name " + name_);
  } else {
    found_("no sentinel answers");
  }
}

}  // namespace letterbox
