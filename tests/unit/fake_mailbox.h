// SPDX-License-Identifier: MIT
//
// A mailbox as KEYS.md describes it, made of plain containers: it does what Redis and the scripts
// would do, in as few lines as possible, and remembers what it could not deliver. For one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/unit/fake_store.h"
#include "tests/unit/fake_waiting.h"

namespace letterbox::test {

class FakeMailbox {
 public:
  explicit FakeMailbox(size_t cap) : cap_(cap) {}

  void push(bool expired, bool carried) {
    if (newest_.epoch == 0) newest_ = {++last_epoch_, 0};
    ++newest_.seq;
    if (expired) lost_.insert(newest_);
    if (newest_.seq - base_ > cap_) lost_.insert({newest_.epoch, ++base_});
    if (list.empty()) {
      list.push_back(carried && !expired ? ring(newest_) : bell());
    } else if (list.back()[0] != '\x01') {
      list.push_back(bell());
    } else {
      list.back() = bell();
    }
  }

  // Any message that is kept is replaced or retracted; its ring becomes a bell.
  void collapse(uint64_t which) {
    if (newest_.seq == base_) return;
    const Cursor message{newest_.epoch, base_ + 1 + which % (newest_.seq - base_)};
    if (is_lost(message) || !collapsed_.insert(message).second) return;
    for (auto& element : list) {
      if (element == ring(message)) element = bell();
    }
  }

  void remove() {
    newest_ = {};
    base_ = 0;
    kept_.clear();
    list.clear();
  }

  // What read.lua answers.
  Reading read(const FakeStore::Read& request) {
    const bool kept = !request.after;
    const Cursor given = kept ? kept_[request.client] : *request.after;
    uint64_t at = base_;
    Reading reading;
    if (!request.foreign && given.epoch == newest_.epoch && given.seq <= newest_.seq) {
      at = given.seq;
    } else if (request.foreign || given.epoch != 0) {
      reading.reset = true;
    }
    if (at < base_) {
      reading.missed = base_ - at;
      at = base_;
    }
    // (A read looks at few elements here, so that some are cut with nothing found.)
    for (int looked = 0; reading.messages.size() < request.limit && looked < 5; ++looked) {
      if (at == newest_.seq) break;
      const Cursor next{newest_.epoch, ++at};
      if (lost_.contains(next)) {
        ++reading.missed;
      } else if (collapsed_.contains(next)) {
        ++reading.collapsed;
      } else {
        reading.messages.push_back({next, kBody});
      }
    }
    reading.cursor = {newest_.epoch, at};
    reading.newest = newest_;
    reading.raw = request.limit > 0 && !list.empty() && list.front()[0] != '\x01';
    if (kept) kept_[request.client] = reading.cursor;
    return reading;
  }

  // What peek.lua sees, except notes.
  Glimpse peek(const std::string& client) const {
    Glimpse seen;
    seen.newest = newest_;
    const auto kept = kept_.find(client);
    if (kept != kept_.end()) seen.cursor = kept->second;
    return seen;
  }
  bool has_raw() const {
    return std::any_of(list.begin(), list.end(), [](const auto& e) { return e[0] != '\x01'; });
  }

  bool is_lost(const Cursor& message) const { return lost_.contains(message); }
  bool is_collapsed(const Cursor& message) const { return collapsed_.contains(message); }

  // Whether there is anything to deliver to a client with that cursor.
  bool has_more(const Cursor& after) const {
    const bool here = after.epoch == newest_.epoch && after.seq <= newest_.seq;
    for (uint64_t seq = here ? std::max(after.seq, base_) : base_; seq < newest_.seq; ++seq) {
      const Cursor message{newest_.epoch, seq + 1};
      if (!is_lost(message) && !is_collapsed(message)) return true;
    }
    return false;
  }
  // The same for a client whose cursor is kept here.
  bool has_more(const std::string& client) const {
    const auto found = kept_.find(client);
    return has_more(found == kept_.end() ? Cursor{} : found->second);
  }

  // The list that lanes pop from: rings, bells, raw elements.
  std::deque<std::string> list;

 private:
  const size_t cap_;
  uint64_t last_epoch_ = kEpoch;
  Cursor newest_;
  uint64_t base_ = 0;
  std::map<std::string, Cursor> kept_;
  std::set<Cursor> lost_;       // expired or dropped, of all epochs
  std::set<Cursor> collapsed_;  // replaced or retracted, of all epochs
};

}  // namespace letterbox::test
