// SPDX-License-Identifier: MIT
//
// broadcast: one message to every client that waits, and the next when all of them wait again.
#include <deque>
#include <string>
#include <vector>

#include "cases.h"
#include "clock.h"
#include "cost.h"
#include "crowd.h"
#include "failure.h"
#include "message.h"
#include "statistics.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kParked = 10'000;
constexpr unsigned kBroadcasts = 5;
constexpr unsigned kJoining = 8;  // connections
constexpr int64_t kPatience = 60 * kSecond;

/// The back end: has all users join the group, if the server has groups, and pushes to all of them.
class Teller final : public HttpOwner {
 public:
  Teller(Run& run, Crowd& crowd) : dialect_(run.dialect), crowd_(crowd) {
    for (unsigned i = 0; i < kJoining; ++i) connections_.emplace_back(crowd.peer(), *this, i);
  }

  void gather() {
    if (!dialect_.has_groups()) return crowd_.audience().gather_at(crowd_.ledger().everybody());
    left_ = crowd_.ledger().users();
    for (HttpConnection& connection : connections_) join_next(connection);
    if (!crowd_.loop().run_until(now_ns() + kPatience, [this] { return left_ == 0; })) {
      throw Failure("the group could not be filled");
    }
  }

  /// Nanoseconds until the last one has it.
  int64_t tell() {
    Ledger& ledger = crowd_.ledger();
    std::string body;
    std::string request;
    const uint32_t number = ledger.enter_for_everybody();
    const int64_t begin = now_ns();
    append_message(body, {ledger.everybody(), number, begin});
    dialect_.append_broadcast(request, {ledger.everybody(), body});
    left_ = 1;
    connections_.front().send(request);
    if (!crowd_.await_arrivals()) throw Failure("not all clients were reached");
    const int64_t took = ledger.last_arrival() - begin;
    if (!crowd_.loop().run_until(begin + kPatience, [this] { return left_ == 0; })) {
      throw Failure("the back end was not answered");
    }
    return took;
  }

 private:
  void join_next(HttpConnection& connection) {
    const Ledger& ledger = crowd_.ledger();
    if (joined_ == ledger.users()) return;
    std::string request;
    dialect_.append_join(request, ledger.everybody(), ledger.name(joined_++));
    connection.send(request);
  }

  void on_answer(HttpConnection& connection, const HttpAnswer& answer) override {
    if (!dialect_.accepted(answer)) {
      crowd_.ledger().refused("the back end was answered " + std::to_string(answer.status) + ": " +
                              std::string(answer.body.substr(0, 300)));
    }
    --left_;
    join_next(connection);
  }
  void on_lost(HttpConnection&) override {
    throw Failure("the server closed a connection of the back end");
  }

  Dialect& dialect_;
  Crowd& crowd_;
  std::deque<HttpConnection> connections_;
  unsigned joined_ = 0;
  size_t left_ = 0;  // requests without an answer
};

}  // namespace

void run_broadcast(Run& run) {
  Crowd crowd(run, run.options.count(kParked));
  Teller teller(run, crowd);
  teller.gather();
  crowd.park();
  // Else some of them could not poll again in time for the next message.
  if (!run.dialect.keeps_between_polls()) crowd.audience().spread_polls(crowd.coming());
  crowd.ledger().begin_window();
  const Spent before(run.stack);
  std::vector<double> until_last;
  for (unsigned i = 0; i < kBroadcasts; ++i) {
    until_last.push_back(static_cast<double>(teller.tell()) / 1e6);
    crowd.rest();  // all have polled again
  }
  const auto messages = static_cast<double>(crowd.ledger().delivered());
  Values& values = run.sample.values;
  write_cost(values, before, Spent(run.stack), messages);
  crowd.ledger().end_window();
  crowd.settle();
  values["last_ms"] = median(until_last);
  std::vector<int64_t>& latencies = crowd.ledger().latencies();
  values["p50_us"] = percentile(latencies, 0.50) / 1e3;
  values["p99_us"] = percentile(latencies, 0.99) / 1e3;
}

}  // namespace letterbox::bench
