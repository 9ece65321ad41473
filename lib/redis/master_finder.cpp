// SPDX-License-Identifier: MIT
#include "redis/master_finder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/random.h"

namespace letterbox {

namespace {

// A sentinel whose host is gone must not keep the others' answers waiting.
constexpr uint64_t kPatienceMs = 1000;
constexpr uint64_t kAgainMs = 400;
constexpr uint64_t kAgainSpreadMs = 200;

// Which failover made it the master: of the names and values in a row by which a sentinel describes
// a master.
uint64_t config_epoch(const Reply& description) {
  for (size_t i = 0; i + 1 < description.size(); i += 2) {
    if (description[i].text() == "config-epoch") {
      return static_cast<uint64_t>(description[i + 1].integer());
    }
  }
  return 0;
}

}  // namespace

MasterFinder::MasterFinder(Loop& loop, const RedisLogin& login, Log& log, Found found)
    : loop_(loop), name_(login.address.master), found_(std::move(found)) {
  for (const auto& address : login.address.sentinels) {
    Sentinel sentinel;
    sentinel.login.address = address;
    sentinel.login.patience_ms = std::min(login.patience_ms, kPatienceMs);
    sentinels_.push_back(std::move(sentinel));
  }
  // Connections refer to their logins, which by now stay where they are.
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
  master_.reset();
  asked_ = sentinels_.size();
  for (const auto& sentinel : sentinels_) ask(*sentinel.redis);
}

void MasterFinder::ask(RedisConnection& sentinel) {
  sentinel.command({"SENTINEL", "get-master-addr-by-name", name_},
                   [this, &sentinel](const Reply& reply) {
                     heard_ = heard_ || reply.came();
                     if (reply.size() != 2) return answered();
                     RedisAddress master;
                     master.host = reply[0].text();
                     master.port = static_cast<int>(reply[1].integer());
                     ask_how_recent(sentinel, master);
                   });
}

// (Asked for second, so that a sentinel that does not know the master is not asked for its epoch.)
void MasterFinder::ask_how_recent(RedisConnection& sentinel, const RedisAddress& master) {
  sentinel.command({"SENTINEL", "master", name_}, [this, master](const Reply& reply) {
    const uint64_t epoch = config_epoch(reply);
    if (reply.came() && (!master_ || epoch > epoch_)) {
      master_ = master;
      epoch_ = epoch;
    }
    answered();
  });
}

void MasterFinder::answered() {
  if (--asked_ > 0) return;
  next_ = loop_.at(loop_.clock().steady_ms() + kAgainMs + random_below(kAgainSpreadMs), [this] {
    next_.reset();
    look();
  });
  if (master_) {
    found_(*master_);
  } else if (heard_) {
    found_("no sentinel knows a master of the name " + name_);
  } else {
    found_("no sentinel answers");
  }
}

}  // namespace letterbox
