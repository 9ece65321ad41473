// SPDX-License-Identifier: MIT
//
// The book of the messages that were pushed and that arrived. It finds every message that was lost,
// doubled, out of order, or another user's, and keeps how long each was under way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clock.h"

namespace letterbox::bench {

/// The book's figures of a run; all zero except the first two if every message was right.
struct Verdict {
  uint64_t pushed = 0;
  uint64_t delivered = 0;
  uint64_t lost = 0;        // accepted, and never delivered
  uint64_t doubled = 0;     // delivered once more
  uint64_t disordered = 0;  // delivered after a later one of the same user
  uint64_t foreign = 0;     // not a message of this run, or of another user
  uint64_t refused = 0;     // pushes and polls that were answered with an error, or not at all

  uint64_t wrong() const { return lost + doubled + disordered + foreign + refused; }
  bool right() const { return wrong() == 0; }
  void add(const Verdict& other);
  /// "all 5,000 right", or the faults.
  std::string sentence() const;
};

class Ledger {
 public:
  /// Users are named after `prefix`, so that runs against one server don't meet.
  Ledger(std::string_view prefix, unsigned users);

  unsigned users() const { return static_cast<unsigned>(pages_.size()); }
  std::string_view name(unsigned user) const { return pages_[user].name; }

  /// The number of this user's next message, which is now being pushed.
  uint32_t enter(unsigned user);
  /// The recipient of a message to all users, and the number of the next one.
  std::string_view everybody() const { return everybody_; }
  uint32_t enter_for_everybody();
  /// An error instead of an answer; the first one's text is kept for the report.
  /// Throws Failure after too many of them: that server is no longer being measured.
  void refused(std::string_view text);
  void delivered(unsigned user, std::string_view body, int64_t read_at);

  bool complete() const { return verdict_.delivered >= verdict_.pushed; }
  uint64_t delivered() const { return verdict_.delivered; }
  int64_t last_arrival() const { return last_arrival_; }
  uint64_t pushed() const { return verdict_.pushed; }

  /// Only messages whose push is written from now on, and until end_window, are timed.
  void begin_window() { window_begin_ = now_ns(); }
  void end_window() { window_end_ = now_ns(); }
  /// Nanoseconds from push to poll, unsorted.
  std::vector<int64_t>& latencies() { return latencies_; }

  /// To be called once nothing more is under way.
  Verdict verdict() const;
  const std::string& first_refusal() const { return first_refusal_; }

 private:
  struct Page {
    std::string name;
    uint32_t pushed = 0;
    uint32_t highest = 0;    // number delivered
    std::vector<bool> seen;  // by number; [0] is unused
  };

  const std::string everybody_;
  std::vector<Page> pages_;
  Verdict verdict_;  // without the lost
  int64_t last_arrival_ = 0;
  int64_t window_begin_ = kNever;
  int64_t window_end_ = kNever;
  std::vector<int64_t> latencies_;
  std::string first_refusal_;
};

}  // namespace letterbox::bench
