// SPDX-License-Identifier: MIT
//
// A mailbox as KEYS.md describes it, made of plain containers: what Redis and the scripts would do,
// in as few lines as possible, and with a memory of what could not be delivered. For one thread.
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
    for (size_t taken = 0; taken < request.limit && at < newest_.seq; ++taken) {
      const Cursor next{newest_.epoch, ++at};
      if (lost_.contains(next)) {
        ++reading.missed;
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

  // What peek.lua sees, but for the notes.
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

  // Whether there is anything to deliver to a client who stands there.
  bool has_more(const Cursor& after) const {
    const bool here = after.epoch == newest_.epoch && after.seq <= newest_.seq;
    for (uint64_t seq = here ? std::max(after.seq, base_) : base_; seq < newest_.seq; ++seq) {
      if (!is_lost({newest_.epoch, seq + 1})) return true;
    }
    return false;
  }
  // The same for one whose place is kept here.
  bool has_more(const std::string& client) const {
    const auto found = kept_.find(client);
    return has_more(found == kept_.end() ? Cursor{} : found->second);
  }

  // What the lanes take from: rings, bells, raw elements.
  std::deque<std::string> list;

 private:
  const size_t cap_;
  uint64_t last_epoch_ = kEpoch;
  Cursor newest_;
  uint64_t base_ = 0;
  std::map<std::string, Cursor> kept_;
  std::set<Cursor> lost_;  // expired or dropped, of all epochs
};

}  // namespace letterbox::test
