// SPDX-License-Identifier: MIT
//
// The back end that pushes, in three ways: each push when the last one is answered, at a fixed
// rate, or all of them as fast as they go in.
//
// A user's next message is pushed only when the last one was answered, or after it on the same
// connection: otherwise their order would be undefined.
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "dialect.h"
#include "event_loop.h"
#include "http.h"
#include "ledger.h"

namespace letterbox::bench {

/// /// Connections that push single messages to users drawn at random. The two classes below decide
/// which of them pushes when.
class Pushers : public HttpOwner {
 public:
  Pushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger);

  /// No push is waiting for its answer.
  bool quiet() const { return under_way_ == 0; }

 protected:
  HttpConnection& add_connection();
  void push(HttpConnection& connection);
  /// This connection's push was answered.
  virtual void on_free(HttpConnection& connection) = 0;

  HttpPeer& peer_;

 private:
  void on_answer(HttpConnection& connection, const HttpAnswer& answer) final;
  void on_lost(HttpConnection& connection) final;
  void release(HttpConnection& connection);
  unsigned draw_user();

  Dialect& dialect_;
  Ledger& ledger_;
  std::deque<HttpConnection> connections_;
  std::vector<unsigned> user_of_;  // by connection: the user of its push
  std::vector<bool> busy_;         // by user: whether a push is under way
  size_t under_way_ = 0;
  std::mt19937 random_{20231011};  // the same users in every run
  std::string request_;
  std::string body_;
};

/// Each connection pushes again as soon as it has its answer.
class ClosedPushers final : public Pushers {
 public:
  ClosedPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, unsigned connections);
  void start();
  void stop() { running_ = false; }

 private:
  void on_free(HttpConnection& connection) override;

  std::vector<HttpConnection*> all_;
  bool running_ = false;
};

/// A fixed number a second, on as many connections as it takes: a slow answer delays no other push.
class PacedPushers final : public Pushers, public Timed {
 public:
  PacedPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, double per_second);
  ~PacedPushers() override;
  void start() { due_ = now_ns(); }
  void stop() { due_ = kNever; }
  /// /// The longest time by which a push was written late; more than a few ms means that the
  /// generator itself was starved, and its latencies are wrong.
  int64_t most_behind() const { return most_behind_; }

 private:
  int64_t next_due() const override { return free_.empty() ? kNever : due_; }
  void on_due(int64_t now) override;
  void on_free(HttpConnection& connection) override { free_.push_back(&connection); }

  const int64_t interval_;
  int64_t due_ = kNever;
  int64_t most_behind_ = 0;
  std::vector<HttpConnection*> free_;
};

/// /// A given number of messages to every user, in the fewest requests that the dialect has. The
/// users are shared out among the connections; requests are pipelined if they are small.
class BurstPushers final : public HttpOwner {
 public:
  BurstPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, unsigned connections,
               unsigned per_user);
  void start();
  bool done() const { return answered_ == requests_; }

 private:
  struct Line {
    Line(HttpPeer& peer, HttpOwner& owner, size_t tag) : connection(peer, owner, tag) {}
    HttpConnection connection;
    std::vector<unsigned> users;
    size_t sent = 0;  // messages, of users.size() × per_user
  };

  void on_answer(HttpConnection& connection, const HttpAnswer& answer) override;
  void on_lost(HttpConnection& connection) override;
  void fill(Line& line);
  void send_batch(Line& line);

  Dialect& dialect_;
  Ledger& ledger_;
  const unsigned per_user_;
  const size_t depth_;  // requests under way on a connection
  std::deque<Line> lines_;
  size_t requests_ = 0;
  size_t answered_ = 0;
  std::string request_;
  std::vector<std::string> bodies_;
};

}  // namespace letterbox::bench
