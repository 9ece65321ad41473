// SPDX-License-Identifier: MIT
//
// Looks up a host's name without holding up the loop. getaddrinfo() blocks, for many seconds if a
// name server is silent, so each question runs on a thread of its own. Each connection to Redis has
// one Lookup. For the loop's thread alone.
//
// Such a thread can't be ended, so nothing ever waits for it. When its patience is over, the caller
// is told that there is no answer, and the program may end meanwhile. At most one question of a
// Lookup is under way: a thread that is late for one find() serves the next find() for the same
// name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "base/result.h"

namespace letterbox {

// Numeric addresses, at least one, in the order in which they must be tried; or a sentence that
// says why there are none.
using Hosts = Result<std::vector<std::string>, std::string>;
// May block. Runs on a thread of its own, which gets a copy.
using Resolver = std::function<Hosts(const std::string& host)>;

// Asks the system: its hosts file, its name servers, and what else it is configured to ask.
Hosts resolve_by_system(const std::string& host);

class Lookup {
 public:
  using Found = Callback<void(const Hosts& hosts)>;

  // `resolver` must outlive the Lookup.
  Lookup(Loop& loop, const Resolver& resolver);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // Has `found` called once, within `patience_ms`; before find() returns if `host` is numeric. An
  // earlier call that has not been answered is cancelled.
  void find(const std::string& host, uint64_t patience_ms, Found found);
  // The `found` of the last find() is not called any more.
  void cancel();

 private:
  struct Question;

  bool ask(const std::string& host);
  void answered(const Hosts& hosts);
  void tell(const Hosts& hosts);
  void leave_question();

  // Constant after construction.
  Loop& loop_;
  const Resolver& resolver_;

  std::shared_ptr<Question> question_;  // the question under way; null: none
  std::optional<Hosts> late_;           // the last answer, if it came too late for its find()
  std::string host_;                    // the host of question_ and late_
  Found found_;                         // empty: no find() waits
  std::optional<Loop::Timer> patience_;
};

}  // namespace letterbox
