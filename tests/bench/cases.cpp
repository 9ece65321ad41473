// SPDX-License-Identifier: MIT
#include "cases.h"

namespace letterbox::bench {
namespace {

using Stacks = std::vector<std::string>;

const Stacks kAll{kLetterbox, kApart, kNchanRedis, kNchanMemory, kPushpin, kSocketIo};
const Stacks kRivals{kLetterbox, kNchanRedis, kNchanMemory, kPushpin, kSocketIo};
const Stacks kQuick{kLetterbox, kNchanRedis, kNchanMemory, kSocketIo};  // 1,000 polls a second come
const Stacks kWithNchan{kLetterbox, kNchanRedis, kNchanMemory};
const Stacks kKeeping{kLetterbox, kNchanRedis};  // messages, in Redis
const Stacks kStreaming{kLetterbox, kApart, kNchanRedis, kNchanMemory};
const Stacks kGround{kFloor};
const Stacks kFlooded{kLetterbox, kApart, kNchanRedis, kNchanMemory};

/// And over a Redis Cluster.
Stacks with_clusters(Stacks stacks) {
  stacks.insert(stacks.end(),
                {kCluster, kOneMaster, kTwoMasters, kThreeMasters, kThreeMastersApart});
  return stacks;
}

}  // namespace

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases{
      {"closed", "1,000 clients that re-poll at once, 8 pushers, each pushes when answered",
       with_clusters(kAll), Case::every, run_closed},
      {"flood", "as closed, with 64 pushers: no server waits for them", with_clusters(kFlooded),
       Case::every, run_flood},
      {"paced", "1,000 clients, 2,000 pushes a second", with_clusters(kAll), Case::every,
       run_paced},
      {"crowd", "10,000 clients, 1,000 pushes a second to random ones", with_clusters(kAll),
       Case::every, run_crowd},
      {"packed", "18,000 clients, 1,000 pushes a second to random ones", kWithNchan, Case::every,
       run_packed},
      {"growth", "what a message costs with 10,000 parked and with 100, 1,000 pushes a second",
       kWithNchan, Case::every, run_growth},
      {"broadcast", "one message to 10,000 clients, again and again: by a group, or by one channel",
       with_clusters(kAll), Case::every, run_broadcast},
      {"burst", "100,000 messages to 1,000 users who are away; then all come and fetch",
       with_clusters(kKeeping), Case::every, run_burst},
      {"connect", "10,000 clients connect and poll within ten seconds", with_clusters(kQuick),
       Case::every, run_connect},
      {"idle", "10,000 parked polls: memory, threads, connections", with_clusters(kRivals),
       Case::every, run_idle},
      {"outage", "Redis crashes with 10,000 parked and comes back: what that costs it", kKeeping,
       Case::every, run_outage},
      {"churn", "10,000 polls come and go, ten times: is their memory given back?", kWithNchan,
       Case::first, run_churn},
      {"rest", "10,000 parked polls, no push, timeouts of 50 s: processor time (a minute each)",
       with_clusters(kWithNchan), Case::first, run_rest},
      {"stream-closed", "as closed, with 1,000 streams of Server-Sent Events",
       with_clusters(kStreaming), Case::every, run_closed, Case::by_streams},
      {"stream-paced", "as paced, with 1,000 streams", kStreaming, Case::every, run_paced,
       Case::by_streams},
      {"stream-broadcast", "as broadcast, with 10,000 streams", with_clusters(kStreaming),
       Case::every, run_broadcast, Case::by_streams},
      {"stream-idle", "10,000 streams with a ping every 15 s: memory, processor time", kWithNchan,
       Case::every, run_stream_idle, Case::by_streams},
      {"floor", "what nginx, libfcgi and Redis cost by themselves: no such design goes below it",
       kGround, Case::every, run_floor},
  };
  return cases;
}

}  // namespace letterbox::bench
