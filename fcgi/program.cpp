// SPDX-License-Identifier: MIT
#include "program.h"

#include <poll.h>
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

#include "base/limits.h"
#include "check.h"
#include "fastcgi/listening.h"
#include "mailbox/keys.h"
#include "redis/slot.h"
#include "redis_needs.h"
#include "scripts.h"
#include "settings.h"

namespace letterbox {

// As std::latch, but can be waited for with an end.
class Countdown {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  explicit Countdown(size_t count) : left_(count) {}
  void count_down() {
    if (--left_ == 0) done_.set_value();
  }
  bool done() const { return left_ == 0; }
  // False if it is not done by then.
  bool wait_until(Moment end) { return future_.wait_until(end) == std::future_status::ready; }

 private:
  std::atomic<size_t> left_;
  std::promise<void> done_;
  std::future<void> future_ = done_.get_future();
};

namespace {

using std::chrono::milliseconds;

using Moment = Countdown::Moment;

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
      redis(loop, login, log, "letterbox", lua::reign, places(),
            {.figures = &redis_figures, .latency = &redis_latency}),
      stores(
          redis.all(),
          [&](Redis& part) { return std::make_unique<RedisStore>(part, clock, limits, program); }),
      accesses(
          redis.all(),
          [&](Redis& part) { return std::make_unique<RedisAccess>(part, clock, signed_life_ms); }),
      presences(redis.all(),
                [&](Redis& part) {
                  return std::make_unique<RedisPresence>(part, clock, log, presence_rules, program);
                }),
      store(stores.all()),
      access(accesses.all()),
      presence(presences.all()),
      desk{loop, store} {}

std::vector<ClusterPart::Place> places() {
  std::vector<ClusterPart::Place> all;
  for (size_t part = 0; part < parts(); ++part) {
    const auto& keys = shared_keys(part).of_reign;
    all.push_back({slot_of(keys.front()), {keys.begin(), keys.end()}});
  }
  return all;
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
  if (config_->flag("settings")) {
    print(settings_text(*config_, options));
    return 0;
  }
  const auto prefix = check_redis_prefix(*config_);
  if (!prefix) return complain(prefix.error());
  auto login = redis_login(*config_);
  if (!login) return complain(login.error());
  login_ = std::move(*login);
  set_key_names(config_->text("redis-prefix"), login_.address.nodes.empty() ? 0 : kClusterParts);
  if (config_->flag("acl")) {
    const auto user = config_->text("redis-user");
    print(acl_line(user.empty() ? "letterbox" : user) + "\n");
    return 0;
  }
  auto log = open_log(name_, *config_);
  if (!log) return complain(log.error());
  log_ = std::move(*log);
  const auto events = check_events_to(*config_);
  if (!events) return complain(events.error());
  return std::nullopt;
}

std::optional<int> Program::listen(std::span<const Opening> openings) {
  for (const Opening& opening : openings) {
    auto listening = listen_on(opening.listen);
    if (!listening) return complain(listening.error());
    for (const Fd& other : listening_) {
      if (other.get() != listening->get()) continue;
      listening->release();
      return complain("each face needs a socket of its own, and both have descriptor " +
                      std::to_string(other.get()));
    }
    if (opening.without_key && !is_of_this_machine(listening->get())) {
      return complain(
          "without a key (--key-file) the private face is for this machine alone, on a "
          "unix socket or a loopback address, and not on " +
          place_of(listening->get()));
    }
    listening_.push_back(std::move(*listening));
  }
  return std::nullopt;
}

void Program::say_who_may_push(std::span<const Opening> openings) {
  for (size_t i = 0; i < openings.size(); ++i) {
    if (openings[i].front != &Worker::private_front) continue;
    log_->info("the private face is on ", place_of(listening_[i].get()),
               openings[i].without_key ? ", open to every program that can connect: no --key-file"
                                       : ", for requests with the key");
  }
}

std::optional<int> Program::open(std::span<const Opening> openings, size_t for_redis) {
  descriptors_ = raise_descriptors();
  if (config_->flag("check")) {
    const bool serves_polls = openings.front().front == &Worker::public_front;
    return check({name_, *config_, clock_, login_, descriptors_, serves_polls});
  }
  // Signals are read by the main thread, none is delivered. Before any thread starts: they inherit.
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return complain(std::string("signals can't be read: ") + std::strerror(errno));
  supervisor_ = Supervisor([](const char* name) { return std::getenv(name); }, getpid());

  if (const auto status = listen(openings)) return status;
  say_who_may_push(openings);

  const auto limits = mailbox_limits(*config_);
  const auto presence = presence_rules(*config_);
  const uint64_t signed_life = signed_life_ms(*config_);
  const size_t workers = worker_count(*config_);
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
  accept_connections();
  wait_for_end();
  const Moment told = std::chrono::steady_clock::now();
  ending_ = true;
  supervisor_.tell("STOPPING=1");
  log_->info("ending");
  on_every_worker([](Worker& worker) {
    for (Front* front : worker.fronts) front->board->retire_connections();
  });
  close();
  std::this_thread::sleep_for(milliseconds(kLastCallsMs));
  on_every_worker([](Worker& worker) {
    for (Front* front : worker.fronts) front->acceptor->stop();
  });
  drain();
  for (auto& worker : workers_) worker->loop.stop();
  if (!ended->wait_until(told + milliseconds(kEndMs))) {
    log_->error("a worker hangs: the program ends without it");
    std::_Exit(1);  // no destructor: the worker may be using what it would destroy
  }
  for (auto& worker : workers_) worker->thread.join();
  log_->info("ended");
  return 0;
}

std::shared_ptr<Countdown> Program::ask_every_worker(void (*what)(Worker&)) {
  auto done = std::make_shared<Countdown>(workers_.size());
  for (auto& worker : workers_) {
    worker->loop.post([&its = *worker, what, done] {
      what(its);
      done->count_down();
    });
  }
  return done;
}

void Program::on_every_worker(void (*what)(Worker&)) {
  ask_every_worker(what)->wait_until(std::chrono::steady_clock::now() + milliseconds(kStepMs));
}

// Nobody is served before the supervisor knows that the program is ready. Redis may be away: then
// requests are answered by errors, and /readyz says so; a restart would not mend it.
void Program::accept_connections() {
  const auto turned = ask_every_worker([](Worker&) {});
  if (turned->wait_until(std::chrono::steady_clock::now() + milliseconds(kFirstTurnMs))) {
    supervisor_.tell("READY=1");
    log_->info("ready: ", workers_.size(), " workers, redis at ", login_.address.text());
  } else {
    log_->error("a worker hangs from the start");
  }
  on_every_worker([](Worker& worker) {
    for (Front* front : worker.fronts) front->acceptor->start();
  });
}

// Looks at one signal, if there is one. USR1 and USR2 are multiwatch's: the first is how it ends a
// program, the second all that it passes on to one that stays.
bool Program::told_to_end() {
  signalfd_siginfo signal{};
  const ssize_t got = read(signals_.get(), &signal, sizeof signal);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (got != sizeof signal) {
    // It could not be told to end any more.
    log_->error("signals can't be read: ", std::strerror(errno));
    return true;
  }
  if (signal.ssi_signo != SIGHUP && signal.ssi_signo != SIGUSR2) return true;
  const auto reopened = log_->reopen();
  if (!reopened) log_->error("the log can't be reopened: ", reopened.error());
  return false;
}

// The supervisor hears a sign of life only if every worker's loop has turned since the one before:
// what /healthz asks as well. A program of which one worker hangs is ended by its supervisor, and
// started again.
void Program::wait_for_end() {
  const uint64_t period_ms = supervisor_.watchdog_ms() / kSignsOfLife;
  const bool watched = supervisor_.watchdog_ms() > 0;
  auto present = ask_every_worker([](Worker&) {});
  uint64_t sign_at = clock_.steady_ms();
  while (true) {
    const uint64_t now = clock_.steady_ms();
    if (watched && now >= sign_at) {
      if (present->done()) {
        supervisor_.tell("WATCHDOG=1");
        present = ask_every_worker([](Worker&) {});
      }
      sign_at = now + std::max<uint64_t>(period_ms, 1);
    }
    pollfd signals{signals_.get(), POLLIN, 0};
    if (poll(&signals, 1, watched ? static_cast<int>(sign_at - now) : -1) == 0) continue;
    if (told_to_end()) return;
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
    const milliseconds most(exchanges > 0 ? kDrainMs : kFarewellMs);
    if (std::chrono::steady_clock::now() - begun >= most) return;
    std::this_thread::sleep_for(milliseconds(5));
  }
}

}  // namespace letterbox
