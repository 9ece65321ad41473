// SPDX-License-Identifier: MIT
//
// One connection to Redis, on one loop, that reconnects by itself. Commands are pipelined: the
// commands of one turn of the loop leave in one write, and the answers come back in order through
// callbacks, so a worker never waits. Everything here is for the loop's thread alone.
//
// A command is answered exactly once: by Redis, or by Reply::away(). That means that there is no
// connection, that it broke, or that nothing came from Redis for as long as the oldest command's
// patience. A command behind others, or behind a long reply, waits while bytes come. Away means not
// known: Redis may have carried out the command. While Redis is away the connection tries again
// after a random wait that doubles from 50 ms to 1 s. A connection without commands sends a PING
// each second, to notice a host that has gone without a word.
//
// A replica does not count as up, however well it answers. If there are sentinels, they are asked
// before each attempt, and the connection leaves a master as soon as they name another. A host's
// name is looked up again for each attempt, off the loop, and each of its addresses is tried in
// turn.
//
// A connection may follow another one of its loop, its leader. A follower connects as soon as the
// leader is up, to the same numeric address, and is dropped with the leader. So hundreds of
// followers make no attempts of their own while Redis is away, look up no name, and hear at once
// what their leader hears. A follower of a ClusterPart is given the connection to the part's
// present node as its leader, and another one when the part moves.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/result.h"
#include "redis/address.h"
#include "redis/command.h"
#include "redis/figures.h"
#include "redis/redis.h"
#include "redis/reply.h"
#include "redis/script.h"

struct redisAsyncContext;

namespace letterbox {

class MasterFinder;

class RedisConnection final : public Redis, public Loop::Watcher, public Loop::Flusher {
 public:
  // What the owner is told. Called when no command is pending. After `up`, `down` says that the
  // connection was lost and that every pending command has been answered away. `failed` says why an
  // attempt failed.
  struct Events {
    std::function<void()> up = [] {};    // logged in, and the first answer has come
    std::function<void()> down = [] {};  // after an `up`
    std::function<void(std::string_view)> failed = [](std::string_view) {};  // no `up`
    // False: the connection is one of hundreds, and its owner logs when they come and go.
    bool logged = true;
    // Both may be null. If not, they must outlive the connection. `latency` measures from the turn
    // that sends a command to the turn that gets its answer.
    RedisFigures* figures = nullptr;
    LatencyHistogram* latency = nullptr;  // times of answers
  };

  // `name` is what CLIENT LIST shows. `login` must outlive the connection.
  RedisConnection(Loop& loop, const RedisLogin& login, Log& log, std::string name, Events events);
  // A follower of `guide`. REQUIRES: `guide` is no follower, and outlives this connection.
  RedisConnection(Redis& guide, std::string name, Events events);
  ~RedisConnection() override;

  // Has a script run in each login, before any other command. Its argument is the wall clock in ms.
  // If the script fails, the login fails. Script and keys must outlive the connection. REQUIRES:
  // start() has not been called; this is no follower.
  void greet_with(const Script& script, std::span<const std::string_view> keys);

  // Connects, and stays connected until the destructor.
  void start();

  Loop& loop() const override { return loop_; }
  Log& log() const override { return log_; }
  const RedisLogin& login() const override { return login_; }
  size_t part() const override { return guide_ != nullptr ? guide_->part() : 0; }

  // The login went through.
  bool up() const override { return up_; }
  std::string_view trouble() const override { return trouble_; }
  uint64_t logins() const override { return logins_; }

  void eval(const Script& script, std::span<const std::string_view> keys,
            std::span<const std::string_view> arguments, Callback callback,
            Hurry hurry = Hurry::now) override;

  // No command waits for its answer.
  bool idle() const { return pending_.empty() && early_.empty(); }

  // Sends a command that was formatted by command.h.
  void send_text(std::string_view text, Callback callback, uint64_t extra_patience_ms, Hurry hurry);

  // Has a follower follow another leader, or none (null). REQUIRES: this is a follower, and none of
  // its callbacks is running.
  void follow(RedisConnection* leader);

  void on_ready(uint32_t events) override;
  void flush() override;

 private:
  struct Pending {
    Callback callback;
    uint64_t deadline_ms;
    // The script's call, kept until its answer, since it may have to be sent again with the source.
    std::optional<ScriptCall> call = {};
    uint64_t asked_us = 0;  // when the command was sent; steady
  };
  // A command that came before the login was through, or the master was found. It must not be sent
  // before that: the connection may not be the right user yet, or not in the right database.
  struct EarlyCommand {
    std::string text;
    Pending pending;
    Hurry hurry;
  };
  struct Hooks;  // hiredis' callbacks

  void ask(std::span<const std::string_view> words, Callback callback, uint64_t extra_patience_ms,
           Hurry hurry) override;
  void lead(RedisConnection& follower) override { follower.follow(this); }
  void let_go(RedisConnection&) override {}

  const RedisAddress& where() const;
  void look();
  void found(const Result<RedisAddress, std::string>& master);
  void resolve();
  void resolved(const Hosts& hosts);
  void connect();
  bool try_next_address();
  bool attempting() const { return looking_ || resolving_ || !untried_.empty(); }
  void connect_within(uint64_t least_ms, uint64_t spread_ms);
  void log_in();
  void greet(Callback callback);
  void role_told(const Reply& reply);
  void count_login();
  void send_early();
  void logged_in(const Reply& reply);
  void feel_pulse();
  void drop(std::string_view why);
  void drop_soon(std::string_view why);
  void close(std::string_view why);
  void misled(std::string_view why) override;
  void retry_later();
  // `text` may point into the call in `pending`.
  void send(std::string_view text, Pending&& pending, Hurry hurry = Hurry::now);
  void flush_at_the_end_of_the_turn();
  void flush_soon();
  uint64_t deadline(uint64_t extra_ms = 0) const;
  void answered(const Reply& reply);
  uint64_t patience_ends_ms() const;
  void watch_patience();
  bool bytes_wait() const;

  // Constant from start() on.
  const Script* greeting_ = nullptr;  // null: none
  std::span<const std::string_view> greeting_keys_;

  // Constant after construction.
  Loop& loop_;
  const RedisLogin& login_;
  Log& log_;
  const std::string name_;
  const Events events_;
  Redis* const guide_;  // of a follower; null: this is none

  RedisConnection* leader_ = nullptr;  // of a follower; null: none now
  bool started_ = false;               // of a follower
  std::vector<RedisConnection*> followers_;
  std::unique_ptr<MasterFinder> finder_;  // a leader's; null: no sentinels
  RedisAddress where_;                    // a leader's: the last known master; empty: not known yet
  Lookup lookup_;                         // a leader's
  std::deque<RedisAddress> untried_;      // a leader's: addresses that this attempt has not tried
  RedisAddress at_;                       // a leader's: the address in use, for its followers too

  redisAsyncContext* context_ = nullptr;
  int fd_ = -1;  // as registered with the loop
  bool up_ = false;
  bool looking_ = false;     // asks the sentinels for the master, to connect to it
  bool resolving_ = false;   // looks up its host's name
  bool logging_in_ = false;  // the command being sent is part of the login
  bool flush_asked_ = false;
  bool flushing_ = false;
  bool wants_out_ = false;
  bool lingering_ = false;  // the command being sent has Hurry::soon
  bool outage_logged_ = false;
  uint64_t logins_ = 0;  // so far
  std::string trouble_ = "no connection yet";
  unsigned failures_ = 0;  // failed attempts in a row
  uint64_t heard_ms_ = 0;  // when bytes last came from Redis; steady
  std::deque<Pending> pending_;
  std::vector<EarlyCommand> early_;
  std::optional<Loop::Timer> retry_;
  std::optional<Loop::Timer> patience_;
  std::optional<Loop::Timer> drop_;
  std::optional<Loop::Timer> linger_;
  std::optional<Loop::Timer> pulse_;
};

}  // namespace letterbox
