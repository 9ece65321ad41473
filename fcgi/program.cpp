// SPDX-License-Identifier: MIT
#include "program.h"

#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <random>
#include <utility>

#include "fastcgi/listening.h"
#include "mailbox/keys.h"
#include "scripts.h"
#include "settings.h"

namespace letterbox {

namespace {

// For those who are just connecting. Whoever comes later, and on the same socket, waits in its
// backlog for the next program.
constexpr auto kLastCalls = std::chrono::milliseconds(50);
// Until every peer has taken its answer and closed, which nginx does at once: others may keep what
// they have for longer. What is just being worked on gets more.
constexpr auto kFarewellMost = std::chrono::milliseconds(800);
constexpr auto kDrainMost = std::chrono::milliseconds(1450);
// A worker that hangs, by a mistake, must not keep the others from ending: it is waited for so long
// at each step of the end, and by this time after the signal no more.
constexpr auto kStepMost = std::chrono::milliseconds(150);
constexpr auto kEndMost = std::chrono::milliseconds(1900);

using Moment = std::chrono::steady_clock::time_point;

// As std::latch, but can be waited for with an end.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void count_down() {
    if (--left_ == 0) done_.set_value();
  }
  // False if it is not done by then.
  bool wait_until(Moment end) { return future_.wait_until(end) == std::future_status::ready; }

 private:
  std::atomic<size_t> left_;
  std::promise<void> done_;
  std::future<void> future_ = done_.get_future();
};

Result<Log::Level, std::string> log_level(std::string_view name) {
  if (name == "error") return Log::Level::error;
  if (name == "warn") return Log::Level::warn;
  if (name == "info") return Log::Level::info;
  return "--log-level is error, warn or info, not '" + std::string(name) + "'";
}

Result<std::unique_ptr<Log>, std::string> open_log(const std::string& name, const Config& config) {
  const auto level = log_level(config.text("log-level"));
  if (!level) return level.error();
  const std::string path(config.text("log"));
  if (!path.empty()) return Log::open(name, path, *level);
  return std::make_unique<Log>(name, STDERR_FILENO, *level);
}

// How many of a worker's connections are for this face, so that neither can keep the other out:
// beside polls, which stay, a few are enough for pushes, which go.
size_t connections_of(Front Worker::*face, bool has_both, size_t most) {
  const size_t few = has_both ? std::max<size_t>(most / kPrivateShare, 1) : 0;
  const bool has_few = has_both && face == &Worker::private_front;
  return std::max<size_t>(has_few ? few : most - std::min(most, few), 1);
}

// As many descriptors as the system allows.
size_t raise_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

Worker::Worker(const Clock& clock, const RedisLogin& login, Log& log, const MailboxLimits& limits,
               const PresenceRules& presence_rules, uint64_t signed_life_ms,
               const std::string& program)
    : loop(clock),
      redis(loop, login, log, "letterbox", {.figures = &redis_figures, .latency = &redis_latency}),
      store(redis, clock, limits, program),
      access(redis, clock, signed_life_ms),
      presence(redis, redis_figures, clock, log, presence_rules, program),
      desk{loop, store} {
  redis.greet_with(lua::reign, kReignKeys);
}

std::string Program::random_id() {
  std::random_device device;
  char text[17];
  std::snprintf(text, sizeof text, "%08x%08x", device(), device());
  return text;
}

std::optional<int> Program::complain(const std::string& what) const {
  std::fprintf(stderr, "%s: %s\n", name_.c_str(), what.c_str());
  return 2;
}

std::optional<int> Program::configure(std::string_view name, std::string_view sentence,
                                      std::span<const Option> options, std::string_view examples,
                                      int argc, char** argv) {
  name_ = name;
  auto config = Config::parse(options, argc, argv, [](const char* n) { return std::getenv(n); });
  if (!config) return complain(config.error());
  config_ = std::move(*config);
  if (config_->flag("help")) {
    print(help(name, sentence, options, examples));
    return 0;
  }
  if (config_->flag("version")) {
    print(name_ + " " + std::string(kVersion) + "\n");
    return 0;
  }
  auto log = open_log(name_, *config_);
  if (!log) return complain(log.error());
  log_ = std::move(*log);
  auto login = redis_login(*config_);
  if (!login) return complain(login.error());
  login_ = std::move(*login);
  const auto events = check_events_to(*config_);
  if (!events) return complain(events.error());
  return std::nullopt;
}

int Program::check() {
  Log quiet(name_, STDERR_FILENO, Log::Level::error);
  Loop loop(clock_);
  bool up = false;
  std::string why = "no answer";
  RedisConnection redis(loop, login_, quiet, "letterbox-check",
                        {.up =
                             [&] {
                               up = true;
                               loop.stop();
                             },
                         .failed =
                             [&](std::string_view reason) {
                               why = reason;
                               loop.stop();
                             }});
  redis.start();
  loop.at(clock_.steady_ms() + login_.patience_ms, [&] { loop.stop(); });
  loop.run();
  if (!up) {
    complain("redis at " + login_.address.text() + ": " + why);
    return 1;
  }
  print(name_ + ": settings are right, and redis at " + login_.address.text() + " answers\n");
  return 0;
}

std::optional<int> Program::listen(std::span<const Opening> openings) {
  for (const Opening& opening : openings) {
    auto listening = listen_on(opening.listen);
    if (!listening) return complain(listening.error());
    for (const Fd& other : listening_) {
      if (other.get() != listening->get()) continue;
      listening->release();
      return complain("each face wants a socket of its own, and both have descriptor " +
                      std::to_string(other.get()));
    }
    listening_.push_back(std::move(*listening));
  }
  return std::nullopt;
}

std::optional<int> Program::open(std::span<const Opening> openings, size_t for_redis) {
  if (config_->flag("check")) return check();
  // Signals are read by the main thread, none is delivered. Before any thread starts: they inherit.
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals_) return complain(std::string("signals can't be read: ") + std::strerror(errno));

  if (const auto status = listen(openings)) return status;

  const auto limits = mailbox_limits(*config_);
  const auto presence = presence_rules(*config_);
  const uint64_t signed_life = signed_life_ms(*config_);
  const size_t workers = worker_count(*config_);
  descriptors_ = raise_descriptors();
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(clock_, login_, *log_, limits, presence, signed_life, id_));
  }
  // How many connections a worker may hold. A poll that nothing can wake, since no lane gets a
  // descriptor, is worse than one that waits in the backlog.
  const size_t kept_back = std::min(descriptors_ / 2, for_redis + own_descriptors(workers));
  const size_t most = (descriptors_ - kept_back) / workers;
  for (size_t i = 0; i < openings.size(); ++i) {
    const size_t share = connections_of(openings[i].front, openings.size() > 1, most);
    serve(openings[i], listening_[i].get(), share);
  }
  return std::nullopt;
}

void Program::serve(const Opening& opening, int listen_fd, size_t connections_most) {
  std::vector<Switchboard*> boards;
  for (auto& worker : workers_) {
    Front& front = (*worker).*opening.front;
    front.board = std::make_unique<Switchboard>(
        worker->loop, opening.body_max, connections_most, *log_,
        [&router = front.router](const Request& request, Answer answer) {
          router.route(request, std::move(answer));
        });
    boards.push_back(front.board.get());
    worker->fronts.push_back(&front);
  }
  for (auto& worker : workers_) {
    Front& front = (*worker).*opening.front;
    front.acceptor =
        std::make_unique<Acceptor>(worker->loop, listen_fd, *front.board, boards, *log_);
  }
}

int Program::run(const std::function<void()>& close) {
  const auto ended = std::make_shared<Countdown>(workers_.size());
  for (auto& worker : workers_) {
    worker->redis.start();
    worker->thread = std::thread([&loop = worker->loop, ended] {
      loop.run();
      ended->count_down();
    });
  }
  log_->info("ready: ", workers_.size(), " workers, redis at ", login_.address.text());
  wait_for_end();
  const Moment told = std::chrono::steady_clock::now();
  ending_ = true;
  log_->info("ending");
  on_every_worker([](Worker& worker) {
    for (Front* front : worker.fronts) front->board->retire_connections();
  });
  close();
  std::this_thread::sleep_for(kLastCalls);
  on_every_worker([](Worker& worker) {
    for (Front* front : worker.fronts) front->acceptor->stop();
  });
  drain();
  for (auto& worker : workers_) worker->loop.stop();
  if (!ended->wait_until(told + kEndMost)) {
    log_->error("a worker hangs: the program ends without it");
    std::_Exit(1);  // no destructor: the worker may be using what it would destroy
  }
  for (auto& worker : workers_) worker->thread.join();
  log_->info("ended");
  return 0;
}

void Program::on_every_worker(void (*what)(Worker&)) {
  const auto done = std::make_shared<Countdown>(workers_.size());
  for (auto& worker : workers_) {
    worker->loop.post([&its = *worker, what, done] {
      what(its);
      done->count_down();
    });
  }
  done->wait_until(std::chrono::steady_clock::now() + kStepMost);
}

// USR1 and USR2 are multiwatch's: the first is how it ends a program, the second all that it passes
// on to one that stays.
void Program::wait_for_end() {
  while (true) {
    signalfd_siginfo signal{};
    const ssize_t got = read(signals_.get(), &signal, sizeof signal);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof signal) {
      // It could not be told to end any more.
      log_->error("signals can't be read: ", std::strerror(errno));
      return;
    }
    if (signal.ssi_signo != SIGHUP && signal.ssi_signo != SIGUSR2) return;
    const auto reopened = log_->reopen();
    if (!reopened) log_->error("the log can't be opened anew: ", reopened.error());
  }
}

void Program::drain() {
  const auto begun = std::chrono::steady_clock::now();
  while (true) {
    size_t connections = 0;
    size_t exchanges = 0;
    for (const auto& worker : workers_) {
      for (const Front* front : worker->fronts) {
        connections += front->board->open_connections();
        exchanges += front->board->open_exchanges();
      }
    }
    if (connections == 0) return;
    const auto most = exchanges > 0 ? kDrainMost : kFarewellMost;
    if (std::chrono::steady_clock::now() - begun >= most) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace letterbox
