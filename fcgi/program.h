// SPDX-License-Identifier: MIT
//
// What both programs do alike: read the settings, open log and socket, start workers, wait for
// signals, and end in good order.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/supervisor.h"
#include "fastcgi/acceptor.h"
#include "fastcgi/switchboard.h"
#include "mailbox/parted_access.h"
#include "mailbox/parted_presence.h"
#include "mailbox/parted_store.h"
#include "mailbox/presence_book.h"
#include "mailbox/redis_access.h"
#include "mailbox/redis_presence.h"
#include "mailbox/redis_store.h"
#include "per_part.h"
#include "redis/redis_parts.h"
#include "requests/router.h"
#include "waiting/poll.h"

namespace letterbox {

// A worker's part of one face: what is answered there, and the connections that it came by. Without
// a board the program does not serve that face.
struct Front {
  Router router;
  std::unique_ptr<Switchboard> board;
  std::unique_ptr<Acceptor> acceptor;
};

// Where the parts of the data are, and with what they are greeted (reign.lua).
std::vector<ClusterPart::Place> places();

// One worker: a thread, and everything that is its own.
struct Worker {
  Worker(const Clock& clock, const RedisLogin& login, Log& log, const MailboxLimits& limits,
         const PresenceRules& presence_rules, uint64_t signed_life_ms, const std::string& program);

  // Counted by what stands below.
  RedisFigures redis_figures;
  RedisFigures address_figures;
  RedisFigures lane_figures;
  RedisFigures notices_figures;
  LatencyHistogram redis_latency;

  // The loop before the others: they are registered with it.
  Loop loop;
  RedisParts redis;
  PerPart<Store, RedisStore, PartedStore> stores;
  PerPart<Access, RedisAccess, PartedAccess> accesses;
  PerPart<PresenceStore, RedisPresence, PartedPresence> presences;
  // Of all parts.
  Store& store;
  Access& access;
  PresenceStore& presence;
  std::unique_ptr<PresenceBook> book;  // of the public face alone
  Desk desk;
  Front public_front;
  Front private_front;
  std::vector<Front*> fronts;  // those that the program serves: constant once it is open
  std::thread thread;
};

class Countdown;

// A face that a program serves: which one, and where.
struct Opening {
  Front Worker::*front;
  std::string_view listen;  // as --listen has it
  size_t body_max;          // bytes
  // Every program that connects may do everything: then only this machine may be able to connect.
  bool without_key = false;
};

class Program {
 public:
  // Where the settings say that there is nothing to run (--help, an error), the exit status; the
  // reason has been printed.
  std::optional<int> configure(std::string_view name, std::string_view sentence,
                               std::span<const Option> options, std::string_view examples, int argc,
                               char** argv);

  // Prints what is wrong. The exit status.
  std::optional<int> complain(const std::string& what) const;

  // Opens the sockets and makes the workers. `for_redis` descriptors are kept back, in
  // addition to the workers' own. The exit status, if there is nothing more to do: after --check,
  // or an error that was printed.
  std::optional<int> open(std::span<const Opening> openings, size_t for_redis = 0);

  // Serves until SIGTERM, SIGINT or SIGUSR1. `close` is then called, on this thread, to have every
  // request answered that is not being worked on. Returns the exit status.
  int run(const std::function<void()>& close);

  std::string_view name() const { return name_; }
  // Of this process, among all that use the same Redis: no blanks.
  const std::string& id() const { return id_; }
  // How many this process may have open; known once it is open.
  size_t descriptors() const { return descriptors_; }
  // Since 1970.
  uint64_t started_ms() const { return started_ms_; }
  // True from the signal on that ends the program. Any thread.
  const std::atomic<bool>& ending() const { return ending_; }
  const Config& config() const { return *config_; }
  const SystemClock& clock() const { return clock_; }
  const RedisLogin& login() const { return login_; }
  Log& log() { return *log_; }
  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }

 private:
  static std::string random_id();
  std::optional<int> listen(std::span<const Opening> openings);
  void say_who_may_push(std::span<const Opening> openings);
  void serve(const Opening& opening, int listen_fd, size_t connections_most);
  // Has every worker do this on its own thread; the countdown ends when all have done it.
  std::shared_ptr<Countdown> ask_every_worker(void (*what)(Worker&));
  // The same, and returns when all have done it, or soon after: a worker that hangs is not waited
  // for.
  void on_every_worker(void (*what)(Worker&));
  void accept_connections();
  bool told_to_end();
  void wait_for_end();
  void drain();

  const SystemClock clock_{};
  const uint64_t started_ms_ = clock_.wall_ms();
  std::atomic<bool> ending_{false};
  const std::string id_ = random_id();
  std::string name_;
  std::optional<Config> config_;
  std::unique_ptr<Log> log_;
  RedisLogin login_;
  size_t descriptors_ = 0;
  std::vector<Fd> listening_;
  Fd signals_;
  Supervisor supervisor_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace letterbox
