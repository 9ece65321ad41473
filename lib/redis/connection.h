// SPDX-License-Identifier: MIT
//
// One connection to Redis, on one loop, that comes back by itself. Commands are pipelined: what is
// asked during one turn of the loop leaves in one write, and the answers come back in order through
// callbacks, so a worker never waits. Everything here is for the loop's thread alone.
//
// A command is answered exactly once: by Redis, or by Reply::away() if there is no connection, it
// broke, or nothing came from Redis for as long as the patience of the oldest command lasts. What
// waits behind others, or for a long reply, waits while bytes come. Away means not known: the
// command may have been carried out. While Redis is away the connection tries again after a random
// wait that doubles from 50 ms to 1 s. One that has nothing to ask sends a PING each second, so
// that it notices where a host has gone without a word.
//
// A replica does not count as up, however well it answers. Where there are sentinels, they are
// asked before each attempt, and the connection leaves a master as soon as they name another. A
// host's name is looked up anew for each attempt, off the loop, and each address that it stands for
// is tried in turn.
//
// Connections may follow another one of their loop, their leader: they connect as soon as it is up,
// to the same numeric address, and are dropped with it. So hundreds of them make no attempts of
// their own while Redis is away, look up no name, and hear at once what their leader hears.
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
#include "redis/reply.h"
#include "redis/script.h"

struct redisAsyncContext;

namespace letterbox {

class MasterFinder;

class RedisConnection final : public Loop::Watcher, public Loop::Flusher {
 public:
  using Callback = letterbox::Callback<void(const Reply&)>;

  // What the owner wants to hear of. Called with an empty command queue.
  struct Events {
    std::function<void()> up = [] {};    // logged in, and the first answer is there
    std::function<void()> down = [] {};  // once an `up`; every pending command was answered away
    std::function<void(std::string_view)> failed = [](std::string_view) {};  // never came up: why
    // False: it is one of hundreds, and its owner logs what is to be said of their coming and
    // going.
    bool logged = true;
    // Where they are given, they must outlive the connection.
    RedisFigures* figures = nullptr;
    LatencyHistogram* latency = nullptr;  // from the turn that asks to the turn that is answered
  };

  // `name` is what CLIENT LIST shows. `login` must outlive the connection.
  RedisConnection(Loop& loop, const RedisLogin& login, Log& log, std::string name, Events events);
  // One that follows. REQUIRES: `leader` does not follow, and outlives it.
  RedisConnection(RedisConnection& leader, std::string name, Events events);
  ~RedisConnection() override;

  // A script to be run in each login, before anything else is asked: its argument is the wall
  // clock's ms. Where it fails, the login has. Script and keys must outlive the connection.
  // REQUIRES: start() is still to come; this is no follower.
  void greet_with(const Script& script, std::span<const std::string_view> keys);

  // Connects, and stays connected until the destructor.
  void start();

  // Ready for commands: the login went through.
  bool up() const { return up_; }
  // How long it waits for an answer, at least, before the connection is given up.
  uint64_t patience_ms() const { return login_.patience_ms; }
  // Where it is not: why, as far as is known.
  std::string_view trouble() const { return trouble_; }

  // A command in no hurry keeps its place in the order, but leaves with the next one that is, or
  // after some milliseconds.
  enum class Hurry { now, soon };

  // `extra_patience_ms` is for commands that are meant to block.
  void command(std::span<const std::string_view> words, Callback callback,
               uint64_t extra_patience_ms = 0);
  void command(std::initializer_list<std::string_view> words, Callback callback, Hurry hurry);
  void command(std::initializer_list<std::string_view> words, Callback callback,
               uint64_t extra_patience_ms = 0) {
    command(std::span(words.begin(), words.size()), std::move(callback), extra_patience_ms);
  }

  // Runs a script by its hash, and by its source where Redis does not know it (any more).
  void eval(const Script& script, std::span<const std::string_view> keys,
            std::span<const std::string_view> arguments, Callback callback,
            Hurry hurry = Hurry::now);

  void on_ready(uint32_t events) override;
  void flush() override;

 private:
  struct Pending {
    Callback callback;
    uint64_t deadline_ms;
    // Of a script, kept until its answer in case it must be sent again with the source.
    std::optional<ScriptCall> call = {};
    uint64_t asked_us = 0;  // of Redis; steady
  };
  // A command that came before the login was through, or the master found: on a connection that is
  // not yet who it should be, or not in its database, nothing must be carried out.
  struct EarlyCommand {
    std::string text;
    Pending pending;
    Hurry hurry;
  };
  struct Hooks;  // hiredis' side of the conversation

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
  void misled(std::string_view why);
  void retry_later();
  // `text` may be that of the call in `pending`.
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
  RedisConnection* const leader_;  // null: none

  std::vector<RedisConnection*> followers_;
  std::unique_ptr<MasterFinder> finder_;  // of a leader, where there are sentinels
  RedisAddress where_;                    // of a leader: found last; empty: not yet
  Lookup lookup_;                         // of a leader
  std::deque<RedisAddress> untried_;      // of a leader's attempt: what is left of its addresses
  RedisAddress at_;  // of a leader: the one it has taken, and who follows takes

  redisAsyncContext* context_ = nullptr;
  int fd_ = -1;  // as registered with the loop
  bool up_ = false;
  bool looking_ = false;     // for the master, to connect to it
  bool resolving_ = false;   // its host's name
  bool logging_in_ = false;  // what is being sent is the login itself
  bool flush_asked_ = false;
  bool flushing_ = false;
  bool wants_out_ = false;
  bool lingering_ = false;  // what is being sent is in no hurry
  bool outage_logged_ = false;
  bool was_up_ = false;  // ever
  std::string trouble_ = "no connection yet";
  unsigned failures_ = 0;  // attempts in a row
  uint64_t heard_ms_ = 0;  // when anything came from Redis last; steady
  std::deque<Pending> pending_;
  std::vector<EarlyCommand> early_;
  std::optional<Loop::Timer> retry_;
  std::optional<Loop::Timer> patience_;
  std::optional<Loop::Timer> drop_;
  std::optional<Loop::Timer> linger_;
  std::optional<Loop::Timer> pulse_;
};

}  // namespace letterbox
