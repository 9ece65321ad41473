// SPDX-License-Identifier: MIT
//
// Redis as those see it who keep data there: one Redis, or the part of a Redis Cluster that is in
// one slot. RedisConnection is the former, ClusterPart the latter. What belongs together is in one
// part, so one step (a script) can change it. For the thread of its loop alone.
//
// A command is answered exactly once: by Redis, or by Reply::away().
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "base/callback.h"
#include "redis/address.h"
#include "redis/reply.h"
#include "redis/script.h"

namespace letterbox {

class Log;
class Loop;
class RedisConnection;

class Redis {
 public:
  using Callback = letterbox::Callback<void(const Reply&)>;
  // `soon`: the command leaves with the next one that is sent `now`, or after kLingerMs. The order
  // of commands is kept.
  enum class Hurry { now, soon };

  virtual ~Redis() = default;

  virtual Loop& loop() const = 0;
  virtual Log& log() const = 0;
  virtual const RedisLogin& login() const = 0;
  // Which part of the data this is; 0 if the data has one part.
  virtual size_t part() const { return 0; }

  // Ready for commands.
  virtual bool up() const = 0;
  // Why it is not up, as far as is known.
  virtual std::string_view trouble() const = 0;
  // The least number of ms to wait for an answer before Redis counts as away.
  uint64_t patience_ms() const { return login().patience_ms; }
  // Changes whenever what was written before may be lost: commands go by another connection now, or
  // to another server.
  virtual uint64_t logins() const = 0;

  // `extra_patience_ms` is for blocking commands.
  void command(std::span<const std::string_view> words, Callback callback,
               uint64_t extra_patience_ms = 0) {
    ask(words, std::move(callback), extra_patience_ms, Hurry::now);
  }
  void command(std::initializer_list<std::string_view> words, Callback callback,
               uint64_t extra_patience_ms = 0) {
    ask(std::span(words.begin(), words.size()), std::move(callback), extra_patience_ms, Hurry::now);
  }
  void command(std::initializer_list<std::string_view> words, Callback callback, Hurry hurry) {
    ask(std::span(words.begin(), words.size()), std::move(callback), 0, hurry);
  }

  // Runs a script by its hash, or by its source if Redis does not know it (any more).
  virtual void eval(const Script& script, std::span<const std::string_view> keys,
                    std::span<const std::string_view> arguments, Callback callback,
                    Hurry hurry = Hurry::now) = 0;

 private:
  friend class RedisConnection;

  virtual void ask(std::span<const std::string_view> words, Callback callback,
                   uint64_t extra_patience_ms, Hurry hurry) = 0;

  // For a connection that follows: see connection.h. It comes, it goes, or it was told by Redis
  // that this is not the server to ask.
  virtual void lead(RedisConnection& follower) = 0;
  virtual void let_go(RedisConnection& follower) = 0;
  virtual void misled(std::string_view why) = 0;
};

}  // namespace letterbox
