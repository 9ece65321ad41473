// SPDX-License-Identifier: MIT
#include "cases.h"

namespace letterbox::bench {

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases{
      {"closed", "1,000 clients that re-poll at once, 8 pushers, each pushes when answered",
       Case::compared, run_closed},
      {"paced", "1,000 clients, 2,000 pushes a second", Case::compared, run_paced},
      {"crowd", "10,000 clients, 1,000 pushes a second to random ones", Case::compared, run_crowd},
      {"growth", "what a message costs with 10,000 parked and with 100, 1,000 pushes a second",
       Case::compared, run_growth},
      {"idle", "10,000 parked polls: memory, threads, connections", Case::compared, run_idle},
      {"churn", "10,000 polls come and go, ten times: is their memory given back?",
       Case::compared_1, run_churn},
      {"rest", "10,000 parked polls, no push, timeouts of 50 s: processor time (a minute each)",
       Case::compared_1, run_rest},
      {"burst", "100,000 messages to 1,000 users who are away; then all come and fetch",
       Case::durable, run_burst},
      {"broadcast",
       "one message to 10,000 who wait, again and again: by a group, or by one channel",
       Case::compared, run_broadcast},
      {"floor", "what nginx, libfcgi and Redis cost by themselves: what no such design goes below",
       Case::ground, run_floor},
  };
  return cases;
}

}  // namespace letterbox::bench
