// SPDX-License-Identifier: MIT
//
// floor: the processor time below which no design of this shape can go. A message is one push and
// one poll, so two requests through nginx and libfcgi; and one RPUSH that wakes one BLPOP in Redis,
// each a round trip of its own.
#include <deque>

#include "cases.h"
#include "clock.h"
#include "failure.h"
#include "http.h"
#include "message.h"
#include "process.h"
#include "redis_link.h"
#include "usage.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kConnections = 16;  // half of them push, half of them poll

/// Connections that ask for the same thing again and again.
class Drivers final : public HttpOwner {
 public:
  Drivers(HttpPeer& peer, Dialect& dialect) {
    std::string body;
    append_message(body, {"floor", 1, now_ns()});
    dialect.append_push(requests_[0], {"floor", body});
    dialect.append_poll(requests_[1], "floor", "1795287654123-7");
    for (unsigned i = 0; i < kConnections; ++i) connections_.emplace_back(peer, *this, i % 2);
  }

  void start() {
    for (HttpConnection& connection : connections_) connection.send(requests_[connection.tag()]);
  }
  uint64_t answered() const { return answered_; }

 private:
  void on_answer(HttpConnection& connection, const HttpAnswer& answer) override {
    if (answer.status != 200) throw Failure("the floor's program does not answer");
    ++answered_;
    connection.send(requests_[connection.tag()]);
  }
  void on_lost(HttpConnection&) override { throw Failure("the floor's nginx closed a connection"); }

  std::string requests_[2];
  std::deque<HttpConnection> connections_;
  uint64_t answered_ = 0;
};

/// Two requests, in microseconds.
double two_requests(Run& run) {
  EventLoop loop;
  HttpPeer peer(loop, run.stack.port());
  Drivers drivers(peer, run.stack.dialect());
  drivers.start();
  loop.run(now_ns() + seconds_ns(run.options.seconds * 0.2));
  const double cpu = cpu_of(run.stack)[""];
  const uint64_t answered = drivers.answered();
  loop.run(now_ns() + seconds_ns(run.options.seconds));
  return (cpu_of(run.stack)[""] - cpu) * 1e6 * 2 /
         static_cast<double>(drivers.answered() - answered);
}

/// One RPUSH and one BLPOP: what Redis spends on them, and what its two clients do.
void one_hop(Run& run, Values& values) {
  RedisLink pusher(run.stack.redis());
  RedisLink popper(run.stack.redis());
  std::string body;
  append_message(body, {"floor", 1, now_ns()});
  const double cpu = cpu_of(run.stack)[""];
  const double own = own_cpu_seconds();
  const int64_t deadline = now_ns() + seconds_ns(run.options.seconds);
  uint64_t messages = 0;
  for (; now_ns() < deadline; ++messages) {
    popper.write({"BLPOP", "floor", "0"});
    pusher.ask({"RPUSH", "floor", body});
    popper.read();
  }
  const auto count = static_cast<double>(messages);
  values["redis_us"] = (cpu_of(run.stack)[""] - cpu) * 1e6 / count;
  values["clients_us"] = (own_cpu_seconds() - own) * 1e6 / count;
}

}  // namespace

void run_floor(Run& run) {
  Values& values = run.sample.values;
  values["requests_us"] = two_requests(run);
  one_hop(run, values);
  values["floor_us"] = values["requests_us"] + values["redis_us"] + values["clients_us"];
}

}  // namespace letterbox::bench
