// SPDX-License-Identifier: MIT
//
// The clients: one a user, each with one connection, one poll or stream under way and one cursor.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "dialect.h"
#include "event_loop.h"
#include "http.h"
#include "ledger.h"

namespace letterbox::bench {

class Audience final : public HttpOwner, public Timed {
 public:
  /// Their addresses are 127.0.x.SOURCE: a load balancer can tell clients apart by them.
  Audience(HttpPeer& peer, Dialect& dialect, Ledger& ledger, uint8_t source = 1);
  ~Audience() override;

  /// From now on all of them poll that channel, each by itself.
  void gather_at(std::string_view channel) { channel_ = channel; }

  /// /// From now on each polls again only a while after it got a message: all of them within
  /// `span`, ns, in the order in which they got it.
  void spread_polls(int64_t span) { span_ = span; }

  /// /// The clients come one after the other, at most that many a second, so that no server's
  /// listen queue overflows. From then on each polls again as soon as it has its answer, or after
  /// the time that the answer asks for.
  void come(double per_second);
  /// Whether each has written its first poll.
  bool here() const { return arrived_ == members_.size(); }
  /// They close their connections, polls under way or not.
  void leave();

  /// Polls, or streams, that ended because their time was up.
  uint64_t timeouts() const { return timeouts_; }

 private:
  struct Member {
    Member(HttpPeer& peer, HttpOwner& owner, size_t user, uint16_t source)
        : connection(peer, owner, user, source) {}
    HttpConnection connection;
    std::string cursor;
    unsigned troubles = 0;        // in a row
    uint32_t retry_after_ms = 0;  // the pause that its stream asked for at its end
  };

  int64_t next_due() const override;
  void on_due(int64_t now) override;
  void on_answer(HttpConnection& connection, const HttpAnswer& answer) override;
  void on_lost(HttpConnection& connection) override;
  void poll(Member& member);
  void poll_later(size_t user, uint32_t milliseconds);
  void poll_after_trouble(Member& member, uint32_t at_least);  // ms

  EventLoop& loop_;
  Dialect& dialect_;
  Ledger& ledger_;
  std::deque<Member> members_;  // by user; a deque, because connections don't move
  std::string channel_;         // empty: each polls its own
  size_t arrived_ = 0;
  int64_t span_ = 0;
  int64_t between_arrivals_ = 0;
  int64_t next_arrival_ = kNever;
  std::multimap<int64_t, size_t> later_;  // by time: the member
  uint64_t timeouts_ = 0;
  std::mt19937 random_{20231012};
  std::string request_;
  std::vector<std::string_view> bodies_;
};

}  // namespace letterbox::bench
