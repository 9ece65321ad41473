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
  words_.clear();
  asked_ = sentinels_.size();
  for (const auto& sentinel : sentinels_) ask(*sentinel.redis);
}

// The epoch before the address: if a failover falls between the two, the new master comes with the
// old number, which changes nothing until the next round. The old master with the new number would
// be believed.
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
