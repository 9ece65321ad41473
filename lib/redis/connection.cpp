// SPDX-License-Identifier: MIT
#include "redis/connection.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"
#include "redis/master_finder.h"

namespace letterbox {

namespace {

constexpr uint64_t kRetryFirstMs = 50;
constexpr uint64_t kRetryMostMs = 1000;
// If Redis itself says that it is the wrong server, it will hardly be the right one soon. So the
// wait for the next attempt begins as if this many attempts had failed.
constexpr unsigned kFailuresIfMisled = 3;
// The followers connect within this time, spread, since there may be hundreds.
constexpr uint64_t kFollowMs = 50;
constexpr uint64_t kPulseMs = 1000;

}  // namespace

// hiredis calls these: to be told when the socket is ready, and to tell of answers and of a
// connection's end.
struct RedisConnection::Hooks {
  static RedisConnection& of(void* data) { return *static_cast<RedisConnection*>(data); }

  static void add_write(void* data) {
    auto& self = of(data);
    if (self.flushing_) {
      // The socket is full: the rest is written when epoll says that it is writable.
      if (!self.wants_out_) self.loop_.rearm(self.fd_, EPOLLIN | EPOLLOUT, &self);
      self.wants_out_ = true;
    } else if (self.lingering_) {
      self.flush_soon();
    } else {
      self.flush_at_the_end_of_the_turn();
    }
  }
  static void delete_write(void* data) {
    auto& self = of(data);
    if (self.wants_out_) self.loop_.rearm(self.fd_, EPOLLIN, &self);
    self.wants_out_ = false;
  }
  static void clean_up(void* data) {
    auto& self = of(data);
    if (self.fd_ >= 0) self.loop_.unwatch(self.fd_, &self);
    self.fd_ = -1;
    self.wants_out_ = false;
    if (self.flush_asked_) self.loop_.forget(&self);
    self.flush_asked_ = false;
  }
  static void ignore(void*) {}  // reading is always on

  static void on_reply(redisAsyncContext*, void* reply, void* data) {
    of(data).answered(Reply(static_cast<const redisReply*>(reply)));
  }
  // Called only for an end that hiredis saw first. hiredis frees the context itself.
  static void on_disconnect(const redisAsyncContext* context, int) {
    auto& self = of(context->data);
    if (self.context_ != context) return;
    self.context_ = nullptr;
    self.drop(context->errstr != nullptr && *context->errstr != '\0' ? context->errstr
                                                                     : "closed by Redis");
  }
  static void on_connect(const redisAsyncContext* context, int status) {
    if (status == REDIS_OK) return;
    auto& self = of(context->data);
    self.context_ = nullptr;
    self.drop(context->errstr);
  }
};

RedisConnection::RedisConnection(Loop& loop, const RedisLogin& login, Log& log, std::string name,
                                 Events events)
    : loop_(loop),
      login_(login),
      log_(log),
      name_(std::move(name)),
      events_(std::move(events)),
      guide_(nullptr),
      lookup_(loop, login.resolver) {
  if (login.address.sentinels.empty()) where_ = login.address;
}

RedisConnection::RedisConnection(Redis& guide, std::string name, Events events)
    : loop_(guide.loop()),
      login_(guide.login()),
      log_(guide.log()),
      name_(std::move(name)),
      events_(std::move(events)),
      guide_(&guide),
      lookup_(loop_, login_.resolver) {
  guide.lead(*this);
}

RedisConnection::~RedisConnection() {
  assert(followers_.empty());  // they go before it does
  if (leader_ != nullptr) std::erase(leader_->followers_, this);
  if (guide_ != nullptr) guide_->let_go(*this);
  for (auto* timer : {&retry_, &patience_, &drop_, &linger_, &pulse_}) {
    if (*timer) loop_.cancel(**timer);
  }
  if (up_ && events_.figures != nullptr) events_.figures->connections.add(-1);
  up_ = false;  // the owner is being destroyed and must hear nothing more
  pending_.clear();
  early_.clear();
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
}

void RedisConnection::greet_with(const Script& script, std::span<const std::string_view> keys) {
  assert(guide_ == nullptr && context_ == nullptr);
  greeting_ = &script;
  greeting_keys_ = keys;
}

void RedisConnection::start() {
  if (guide_ != nullptr) {
    started_ = true;
    if (leader_ != nullptr && leader_->up_) connect();
    return;
  }
  if (!login_.address.sentinels.empty()) {
    finder_ = std::make_unique<MasterFinder>(loop_, login_, log_,
                                             [this](const auto& master) { found(master); });
  }
  look();
}

void RedisConnection::follow(RedisConnection* leader) {
  assert(guide_ != nullptr && (leader == nullptr || leader->guide_ == nullptr));
  if (leader == leader_) return;
  if (leader_ != nullptr) std::erase(leader_->followers_, this);
  if (context_ != nullptr || retry_) close("its data is at another node");
  leader_ = leader;
  if (leader_ == nullptr) return;
  leader_->followers_.push_back(this);
  if (started_ && leader_->up_) connect_within(0, kFollowMs);
}

const RedisAddress& RedisConnection::where() const {
  return leader_ != nullptr ? leader_->where_ : where_;
}

void RedisConnection::look() {
  if (finder_) {
    looking_ = true;
    finder_->look();
  } else {
    resolve();
  }
}

// The sentinels' word, both when look() asked for it and in between.
void RedisConnection::found(const Result<RedisAddress, std::string>& master) {
  const bool wanted = std::exchange(looking_, false);
  if (!master) {
    // A master that serves is not left just because the sentinels are away.
    if (wanted) drop(master.error());
    return;
  }
  const bool moved = *master != where_;
  if (moved) {
    untried_.clear();
    if (context_ != nullptr) {
      rare<"the sentinels name another master than the one that serves">();
      drop("the master is now at " + master->text());
    }
    where_ = *master;
    failures_ = 0;
    if (retry_) loop_.cancel(*std::exchange(retry_, std::nullopt));
  }
  if (moved || wanted) resolve();
}

// The name is looked up for each attempt: a failover may change only the address that the name
// stands for.
void RedisConnection::resolve() {
  untried_.clear();
  if (!where_.path.empty()) {
    untried_.push_back(where_);
    connect();
    return;
  }
  resolving_ = true;
  lookup_.find(where_.host, login_.patience_ms, [this](const Hosts& hosts) { resolved(hosts); });
}

void RedisConnection::resolved(const Hosts& hosts) {
  resolving_ = false;
  if (!hosts) {
    drop(hosts.error());
    return;
  }
  for (const auto& host : *hosts) {
    untried_.push_back(where_);
    untried_.back().host = host;
  }
  connect();
}

void RedisConnection::connect() {
  assert(context_ == nullptr && fd_ < 0);
  if (guide_ == nullptr) {
    assert(!untried_.empty());
    at_ = untried_.front();
    untried_.pop_front();
  }
  assert(guide_ == nullptr || leader_ != nullptr);
  const auto& address = guide_ != nullptr ? leader_->at_ : at_;
  context_ = address.path.empty() ? redisAsyncConnect(address.host.c_str(), address.port)
                                  : redisAsyncConnectUnix(address.path.c_str());
  if (context_ == nullptr || context_->err != 0) {
    const std::string why = context_ != nullptr ? context_->errstr : "out of memory";
    if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
    drop(why);
    return;
  }
  if (address.path.empty()) redisEnableKeepAlive(&context_->c);
  context_->data = this;
  context_->ev.data = this;
  context_->ev.addRead = Hooks::ignore;
  context_->ev.delRead = Hooks::ignore;
  context_->ev.addWrite = Hooks::add_write;
  context_->ev.delWrite = Hooks::delete_write;
  context_->ev.cleanup = Hooks::clean_up;
  fd_ = context_->c.fd;
  // A writable socket means that the connection is made. hiredis must hear of that first.
  wants_out_ = true;
  if (!loop_.watch(fd_, EPOLLIN | EPOLLOUT, this)) {
    drop(std::strerror(errno));
    return;
  }
  redisAsyncSetConnectCallback(context_, Hooks::on_connect);
  redisAsyncSetDisconnectCallback(context_, Hooks::on_disconnect);
  log_in();
}

void RedisConnection::log_in() {
  logging_in_ = true;
  const auto check = [this](const Reply& reply) {
    if (!reply.ok() && reply.error() != Reply::away().error()) drop_soon(reply.error());
  };
  if (!login_.password.empty()) {
    if (login_.user.empty()) {
      command({"AUTH", login_.password}, check);
    } else {
      command({"AUTH", login_.user, login_.password}, check);
    }
  }
  if (login_.db != 0) command({"SELECT", std::to_string(login_.db)}, check);
  command({"CLIENT", "SETNAME", name_}, [](const Reply&) {});  // optional: may be forbidden
  if (guide_ == nullptr && !login_.any_role) {
    command({"ROLE"}, [this](const Reply& reply) { role_told(reply); });
  }
  if (greeting_ != nullptr) greet(check);
  command({"PING"}, [this](const Reply& reply) { logged_in(reply); });
  logging_in_ = false;
}

// Sends the script's source, not its hash. If Redis did not know the hash, the script would be sent
// again and would run after the PING.
void RedisConnection::greet(Callback callback) {
  const std::string count = std::to_string(greeting_keys_.size());
  const std::string now = std::to_string(loop_.clock().wall_ms());
  std::vector<std::string_view> words{"EVAL", greeting_->source, count};
  words.insert(words.end(), greeting_keys_.begin(), greeting_keys_.end());
  words.emplace_back(now);
  command(words, std::move(callback));
}

// If there are sentinels, the role must be known: a login that may not ask for it fails.
void RedisConnection::role_told(const Reply& reply) {
  if (reply.size() > 0 && reply[0].text() == "slave") {
    rare<"what answers is a replica">();
    drop_soon("it is a replica");
  } else if (finder_ && !reply.ok() && reply.came()) {
    drop_soon(reply.error());
  }
}

void RedisConnection::logged_in(const Reply& reply) {
  if (context_ == nullptr || drop_) return;
  if (!reply.ok()) {
    drop_soon(reply.error());
    return;
  }
  assert(!up_ && !logging_in_);
  up_ = true;
  untried_.clear();
  failures_ = 0;
  if (outage_logged_) log_.info("redis is back at ", where().text(), " (", name_, ")");
  outage_logged_ = false;
  if (guide_ == nullptr) feel_pulse();
  count_login();
  send_early();
  for (auto* follower : followers_) follower->connect_within(0, kFollowMs);
  events_.up();
}

void RedisConnection::feel_pulse() {
  assert(!pulse_);
  pulse_ = loop_.at(loop_.now_ms() + kPulseMs, [this] {
    pulse_.reset();
    if (pending_.empty()) command({"PING"}, [](const Reply&) {});
    feel_pulse();
  });
}

void RedisConnection::count_login() {
  const bool again = ++logins_ > 1;
  if (events_.figures == nullptr) return;
  events_.figures->connections.add(1);
  if (again) events_.figures->reconnects.add();
}

void RedisConnection::send_early() {
  for (auto& early : std::exchange(early_, {})) {
    send(early.text, std::move(early.pending), early.hurry);
  }
}

void RedisConnection::drop_soon(std::string_view why) {
  // The drop is posted: hiredis still uses the context during its callback.
  if (drop_ || context_ == nullptr) return;
  drop_ = loop_.at(0, [this, reason = std::string(why)] {
    drop_.reset();
    if (context_ != nullptr) drop(reason);
  });
}

// The host's name has another address, which may serve. The attempt goes on there, and early
// commands wait for its end.
bool RedisConnection::try_next_address() {
  if (up_ || untried_.empty()) return false;
  rare<"a name stands for another address, which is tried">();
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
  if (drop_) loop_.cancel(*std::exchange(drop_, std::nullopt));
  while (!pending_.empty()) answered(Reply::away());  // the login's commands
  // Not at once: hiredis may still be closing the old connection.
  connect_within(0, 1);
  return true;
}

void RedisConnection::drop(std::string_view why) {
  trouble_ = why;
  if (try_next_address()) return;
  if (!up_ && events_.figures != nullptr) events_.figures->failures.add();
  if (!outage_logged_ && events_.logged) {
    const RedisAddress& address = where() == RedisAddress{} ? login_.address : where();
    log_.warn("redis at ", address.text(), " is away (", name_, "): ", why);
    outage_logged_ = true;
  }
  close(why);
  retry_later();
}

// Closes the connection and its followers, and answers every command away. Followers make no
// attempt of their own.
void RedisConnection::close(std::string_view why) {
  const bool was_up = std::exchange(up_, false);
  if (was_up && events_.figures != nullptr) events_.figures->connections.add(-1);
  if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
  for (auto* timer : {&drop_, &retry_, &pulse_}) {
    if (*timer) loop_.cancel(*std::exchange(*timer, std::nullopt));
  }
  untried_.clear();
  resolving_ = false;
  lookup_.cancel();
  for (auto* follower : followers_) follower->close(why);
  while (!pending_.empty()) answered(Reply::away());
  for (auto& early : std::exchange(early_, {})) early.pending.callback(Reply::away());
  if (was_up) {
    events_.down();
  } else {
    events_.failed(why);
  }
}

// Redis says that it is not the server to ask. That holds for the leader and all of its followers.
// (Of a cluster's node, the parts say what they make of it.)
void RedisConnection::misled(std::string_view why) {
  if (guide_ != nullptr) {
    drop_soon(why);
    return guide_->misled(why);
  }
  if (login_.any_role) return;
  rare<"Redis says that it is not the one to ask">();
  failures_ = std::max(failures_, kFailuresIfMisled);
  drop_soon(why);
}

void RedisConnection::retry_later() {
  if (guide_ != nullptr && (leader_ == nullptr || !leader_->up_)) return;
  const uint64_t most = std::min(kRetryMostMs, kRetryFirstMs << std::min(failures_, 5U));
  ++failures_;
  connect_within(most / 2, most / 2 + 1);
}

void RedisConnection::connect_within(uint64_t least_ms, uint64_t spread_ms) {
  if (retry_ || context_ != nullptr) return;
  retry_ = loop_.at(loop_.clock().steady_ms() + least_ms + random_below(spread_ms), [this] {
    retry_.reset();
    if (guide_ != nullptr || !untried_.empty()) {
      connect();
    } else {
      look();
    }
  });
}

uint64_t RedisConnection::deadline(uint64_t extra_ms) const {
  return loop_.clock().steady_ms() + login_.patience_ms + extra_ms;
}

void RedisConnection::ask(std::span<const std::string_view> words, Callback callback,
                          uint64_t extra_patience_ms, Hurry hurry) {
  send_text(command_text(words), std::move(callback), extra_patience_ms, hurry);
}

void RedisConnection::send_text(std::string_view text, Callback callback,
                                uint64_t extra_patience_ms, Hurry hurry) {
  send(text, {std::move(callback), deadline(extra_patience_ms)}, hurry);
}

void RedisConnection::eval(const Script& script, std::span<const std::string_view> keys,
                           std::span<const std::string_view> arguments, Callback callback,
                           Hurry hurry) {
  Pending pending{std::move(callback), deadline(), ScriptCall(script, keys, arguments)};
  send(pending.call->text(), std::move(pending), hurry);
}

void RedisConnection::send(std::string_view text, Pending&& pending, Hurry hurry) {
  assert(!text.empty() && pending.callback);
  if ((context_ == nullptr && !attempting()) || drop_) {
    pending.callback(Reply::away());
    return;
  }
  if (!up_ && !logging_in_) {
    early_.push_back({std::string(text), std::move(pending), hurry});
    return;
  }
  lingering_ = hurry == Hurry::soon;
  const int taken =
      redisAsyncFormattedCommand(context_, Hooks::on_reply, this, text.data(), text.size());
  lingering_ = false;
  if (taken != REDIS_OK) {
    // hiredis is taking the connection down and takes no more.
    pending.callback(Reply::away());
    return;
  }
  pending.asked_us = loop_.now_us();
  pending_.push_back(std::move(pending));
  watch_patience();
}

// Replies come in the order of the commands, so only the oldest command needs watching. Redis is
// given up when nothing has come for as long as patience lasts, never while answers flow: a command
// behind many others waits.
uint64_t RedisConnection::patience_ends_ms() const {
  assert(!pending_.empty());
  return std::max(pending_.front().deadline_ms, heard_ms_ + login_.patience_ms);
}

void RedisConnection::watch_patience() {
  if (pending_.empty() || context_ == nullptr) return;
  const uint64_t ends = patience_ends_ms();
  if (patience_ && (*patience_)->first <= ends) return;  // the timer looks again by then
  if (patience_) loop_.cancel(*patience_);
  patience_ = loop_.at(ends, [this] {
    patience_.reset();
    if (pending_.empty() || context_ == nullptr) return;
    const bool over = patience_ends_ms() <= loop_.now_ms();
    if (over && !bytes_wait()) {
      rare<"Redis gives no answer in time">();
      return drop("no answer in time");
    }
    if (over) {
      rare<"bytes wait unread as patience ends">();
      heard_ms_ = loop_.now_ms();
    }
    watch_patience();
  });
}

// A loop that was held up may see that patience is over before it has read from all of its
// connections.
bool RedisConnection::bytes_wait() const {
  char next = 0;
  return recv(fd_, &next, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void RedisConnection::answered(const Reply& reply) {
  if (pending_.empty()) return;
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  watch_patience();  // the next command may have less patience than a blocking one
  if (up_ && reply.came() && events_.latency != nullptr) {
    events_.latency->observe(loop_.now_us() - pending.asked_us);
  }
  if (pending.call && reply.no_script()) {
    rare<"Redis does not know a script any more">();
    send(pending.call->with_source(), {std::move(pending.callback), deadline()});
    return;
  }
  // (What a script's caller makes of NOSCRIPT is no error.)
  if (up_ && reply.failure() == Reply::Failure::refused && !reply.no_script()) {
    log_.error("redis: ", reply.error());
  }
  pending.callback(reply);
  if (reply.must_reconnect()) misled(reply.error());
}

void RedisConnection::flush_at_the_end_of_the_turn() {
  if (flush_asked_) return;
  flush_asked_ = true;
  loop_.flush_later(this);
}

void RedisConnection::flush_soon() {
  if (flush_asked_ || linger_) return;
  linger_ = loop_.at(loop_.now_ms() + kLingerMs, [this] {
    linger_.reset();
    flush();
  });
}

void RedisConnection::flush() {
  flush_asked_ = false;
  // hiredis must not write before the connection is made. epoll tells when it is.
  if (context_ == nullptr || wants_out_) return;
  flushing_ = true;
  redisAsyncHandleWrite(context_);
  flushing_ = false;
}

void RedisConnection::on_ready(uint32_t events) {
  assert(context_ != nullptr && fd_ >= 0);
  if ((events & EPOLLOUT) != 0) {
    flushing_ = true;
    redisAsyncHandleWrite(context_);
    flushing_ = false;
  }
  if (context_ != nullptr && (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) {
    heard_ms_ = loop_.now_ms();
    redisAsyncHandleRead(context_);
  }
}

}  // namespace letterbox
