// SPDX-License-Identifier: MIT
//
// What a host's name stands for, found without holding up the loop: getaddrinfo() blocks, for many
// seconds if a name server is silent, so each question is a thread of its own. A connection to
// Redis has one of these. For the loop's thread alone.
//
// Nobody ever waits for such a thread, since nothing can end it: whoever asked is told that there
// is no answer when its patience is over, and a program may end meanwhile. At most one is under
// way: a thread that is late for one find() serves the next one for the same name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/result.h"

namespace letterbox {

// Numeric addresses in the order in which they are to be tried, at least one, or a sentence why
// there are none.
using Hosts = Result<std::vector<std::string>, std::string>;
// May block. Called on threads of its own, and copied to them.
using Resolver = std::function<Hosts(const std::string& host)>;

// Asks the system: its hosts file, name servers, and whatever else it is configured for.
Hosts resolve_by_system(const std::string& host);

class Lookup {
 public:
  using Found = std::function<void(const Hosts& hosts)>;

  // The resolver must outlive it.
  Lookup(Loop& loop, const Resolver& resolver);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // Has `found` called once, within `patience_ms`; before it returns if `host` is numeric. Takes
  // the place of an earlier call that has not been answered.
  void find(const std::string& host, uint64_t patience_ms, Found found);
  // What find() was given is not called any more.
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

  std::shared_ptr<Question> question_;  // under way; null: none
  std::optional<Hosts> late_;           // the last one's answer, if nobody waited for it any more
  std::string host_;                    // which both are about
  Found found_;                         // empty: nobody waits
  std::optional<Loop::Timer> patience_;
};

}  // namespace letterbox
