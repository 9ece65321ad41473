// SPDX-License-Identifier: MIT
#include "redis/cluster_part.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <utility>

#include "base/random.h"
#include "base/rare.h"
#include "base/text.h"
#include "redis/cluster.h"

namespace letterbox {

namespace {

// How soon a part is greeted again after a refusal. A slot that is moved takes milliseconds if it
// holds little, and a failover seconds.
constexpr uint64_t kAgainMs = 10;
constexpr uint64_t kAgainMostMs = 200;
// How often the commands that wait are looked through for those whose patience has ended.
constexpr uint64_t kExpireMs = 50;
// A view with an older epoch than that of an earlier view is out of date. But a cluster that was
// made again begins with low epochs: so the older one is believed once no view had the newer one
// for so long, while the part is not up.
constexpr uint64_t kBelieveMs = 5000;

// The first word of an error by which a node of a cluster says that it did not carry out the
// command, and why.
bool is_refusal(std::string_view error) {
  constexpr std::array<std::string_view, 7> kWords{
      "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "LOADING"};
  const auto word = error.substr(0, error.find(' '));
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// Whether the error is `MOVED SLOT …` or `ASK SLOT …` for another slot: the command had a key that
// is not of this part.
bool is_of_another_slot(std::string_view error, uint16_t slot) {
  const auto word = take_until(error, ' ');
  return (word == "MOVED" || word == "ASK") && parse_u64(take_until(error, ' ')) != slot;
}

// Where the slot is, by `MOVED SLOT HOST:PORT`. Empty if that is not what the error says.
std::string_view moved_to(std::string_view error) {
  if (take_until(error, ' ') != "MOVED") return {};
  take_until(error, ' ');
  return error;
}

std::string trouble_of(const RedisConnection& node) {
  return node.login().address.text() + ": " + std::string(node.trouble());
}

}  // namespace

ClusterPart::ClusterPart(RedisCluster& cluster, size_t number, Place place)
    : cluster_(cluster), number_(number), place_(std::move(place)) {
  assert(!place_.greeting_keys.empty());
}

ClusterPart::~ClusterPart() {
  assert(followers_.empty());  // they go before it does
  for (auto* timer : {&greet_again_, &doubts_, &expiry_}) {
    if (*timer) loop().cancel(**timer);
  }
}

Loop& ClusterPart::loop() const { return cluster_.loop(); }
Log& ClusterPart::log() const { return cluster_.log(); }
const RedisLogin& ClusterPart::login() const { return cluster_.login(); }

// --- commands ------------------------------------------------------------------------------------

void ClusterPart::ask(std::span<const std::string_view> words, Callback callback,
                      uint64_t extra_patience_ms, Hurry hurry) {
  begin(std::make_unique<Command>(Command{.text = command_text(words),
                                          .call = std::nullopt,
                                          .callback = std::move(callback),
                                          .extra_patience_ms = extra_patience_ms,
                                          .hurry = hurry}));
}

void ClusterPart::eval(const Script& script, std::span<const std::string_view> keys,
                       std::span<const std::string_view> arguments, Callback callback,
                       Hurry hurry) {
  begin(std::make_unique<Command>(Command{.text = {},
                                          .call = ScriptCall(script.for_cluster(), keys, arguments),
                                          .callback = std::move(callback),
                                          .hurry = hurry}));
}

// Before a program was ever connected, and while a slot moves, commands wait. If a node is away, it
// will hardly come back within their patience, and the caller is told at once.
bool ClusterPart::may_wait() const { return state_ == State::greeting || logins_ == 0; }

void ClusterPart::begin(CommandPtr command) {
  assert(command->callback);
  command->number = ++commands_;
  command->deadline_ms = loop().now_ms() + patience_ms();
  go(std::move(command));
}

void ClusterPart::go(CommandPtr command) {
  if (state_ == State::up) return send(std::move(command));
  if (may_wait()) return wait(std::move(command));
  command->callback(Reply::away());
}

// (A later command may wait already: it came before this one was refused.)
void ClusterPart::wait(CommandPtr command) {
  auto place = waiting_.end();
  while (place != waiting_.begin() && (*std::prev(place))->number > command->number) --place;
  waiting_.insert(place, std::move(command));
  if (!expiry_) expire();
}

void ClusterPart::send(CommandPtr command) {
  assert(state_ == State::up && node_ != nullptr);
  command->node = node_;
  command->login = logins_;
  const Command& sent = *command;
  node_->send_text(
      sent.call ? sent.call->text() : sent.text,
      [this, command = std::move(command)](const Reply& reply) mutable {
        answered(std::move(command), reply);
      },
      sent.extra_patience_ms, sent.hurry);
}

void ClusterPart::answered(CommandPtr command, const Reply& reply) {
  if (is_of_another_slot(reply.error(), place_.slot)) return command->callback(reply);
  if (reply.came() && is_refusal(reply.error())) {
    rare<"a node of the cluster refuses a command">();
    // (A node that the part has left is no news.)
    if (command->node == node_) doubt(reply.error());
    return go(std::move(command));
  }
  if (command->call && reply.no_script()) {
    command->text = command->call->with_source();
    command->call.reset();
    return go(std::move(command));
  }
  // (What a node says that the part has left meanwhile: nobody knows whether the next one has it.)
  if (command->login != logins_) {
    rare<"a node answers that has not got the slot any more">();
    return command->callback(Reply::away());
  }
  command->callback(reply);
}

void ClusterPart::expire() {
  expiry_.reset();
  const uint64_t now = loop().now_ms();
  std::deque<CommandPtr> stay;
  for (auto& command : std::exchange(waiting_, {})) {
    if (command->deadline_ms > now) {
      stay.push_back(std::move(command));
    } else {
      rare<"a command's patience ends before its slot is served">();
      command->callback(Reply::away());
    }
  }
  // (A callback may have sent something that waits now.)
  for (auto& command : waiting_) stay.push_back(std::move(command));
  waiting_ = std::move(stay);
  if (!waiting_.empty() && !expiry_) expiry_ = loop().at(now + kExpireMs, [this] { expire(); });
}

// --- where the slot is ---------------------------------------------------------------------------

bool ClusterPart::found_at(RedisConnection& node, uint64_t epoch, uint64_t asked_ms) {
  // A node has said since that the slot is elsewhere.
  if (asked_ms <= hinted_ms_) return false;
  const uint64_t now = loop().now_ms();
  if (epoch < epoch_ && (state_ == State::up || now < epoch_heard_ms_ + kBelieveMs)) {
    rare<"a view of the cluster is out of date">();
    return false;
  }
  const bool moved = &node != node_;
  const bool again = epoch != std::exchange(epoch_, epoch);
  epoch_heard_ms_ = now;
  // (Nodes that send each other's MOVED are asked no more often for that.)
  if (again) refused_in_a_row_ = 0;
  if (moved) move_to(&node);
  if (moved || (again && state_ != State::away)) greet();
  return moved;
}

// A node that serves the slot is believed rather than views without it.
bool ClusterPart::found_nowhere(uint64_t asked_ms) {
  if (asked_ms <= hinted_ms_ || state_ == State::up) return false;
  const bool moved = node_ != nullptr;
  if (moved) move_to(nullptr);
  go_away("no node of the cluster has its slot");
  return moved;
}

void ClusterPart::not_found(std::string_view why) {
  if (node_ == nullptr) trouble_ = why;
}

void ClusterPart::node_came(const RedisConnection& node) {
  if (&node == node_) greet();
}

void ClusterPart::node_went(const RedisConnection& node) {
  if (&node == node_) go_away(trouble_of(node));
}

// (Another one may get its memory.)
void ClusterPart::node_ends(const RedisConnection& node) {
  assert(&node != node_);
  if (&node == was_at_) was_at_ = nullptr;
}

void ClusterPart::move_to(RedisConnection* node) {
  node_ = node;
  ++greetings_;
  state_ = State::greeting;
  for (auto* follower : followers_) follower->follow(nullptr);
}

// The node refuses to serve the slot. It may say where the slot is.
void ClusterPart::doubt(std::string_view why) {
  trouble_ = why;
  if (state_ == State::up) state_ = State::greeting;
  cluster_.doubt();
  const std::string host = node_ != nullptr ? node_->login().address.host : "";
  if (const auto address = ClusterView::parse_address(moved_to(why), host)) {
    hinted_ms_ = loop().now_ms();
    RedisConnection* node = cluster_.node_at(*address);
    if (node != node_) {
      move_to(node);
      if (refused_in_a_row_++ == 0) return greet_in(0);
    }
  }
  greet_in(std::min(kAgainMs << std::min<uint64_t>(refused_in_a_row_++, 8), kAgainMostMs));
}

void ClusterPart::go_away(std::string_view why) {
  trouble_ = why;
  ++greetings_;
  state_ = State::away;
  cluster_.doubt();
  if (may_wait()) return;
  for (auto& command : std::exchange(waiting_, {})) command->callback(Reply::away());
}

void ClusterPart::greet_in(uint64_t ms) {
  if (greet_again_) return;
  greet_again_ = loop().at(loop().now_ms() + ms + random_below(ms / 2 + 1), [this] {
    greet_again_.reset();
    if (state_ == State::greeting) greet();
  });
}

void ClusterPart::greet() {
  assert(node_ != nullptr);
  state_ = State::greeting;
  if (!node_->up()) {
    trouble_ = trouble_of(*node_);
    return;  // node_came() or node_went() follows
  }
  const Script& script = cluster_.greeting().for_cluster();
  const std::string count = std::to_string(place_.greeting_keys.size());
  const std::string now = std::to_string(loop().clock().wall_ms());
  std::vector<std::string_view> words{"EVAL", script.source, count};
  words.insert(words.end(), place_.greeting_keys.begin(), place_.greeting_keys.end());
  words.emplace_back(now);
  node_->command(words, [this, number = ++greetings_](const Reply& reply) {
    if (number == greetings_) greeted(reply);
  });
}

void ClusterPart::greeted(const Reply& reply) {
  // (If the connection is lost, node_went() follows.)
  if (!reply.came()) return;
  assert(state_ == State::greeting);
  if (reply.ok()) return came_up(reply.number());
  rare<"a node of the cluster refuses to be greeted">();
  doubt(reply.error());
}

void ClusterPart::came_up(uint64_t reign) {
  assert(node_ != nullptr && node_->up());
  state_ = State::up;
  refused_in_a_row_ = 0;
  if (greet_again_) loop().cancel(*std::exchange(greet_again_, std::nullopt));
  const bool same = node_ == was_at_ && node_->logins() == was_at_login_ && reign == was_reign_;
  if (!same) ++logins_;
  was_at_ = node_;
  was_at_login_ = node_->logins();
  was_reign_ = reign;
  for (auto& command : std::exchange(waiting_, {})) send(std::move(command));
  for (auto* follower : followers_) follower->follow(node_);
}

// --- followers -----------------------------------------------------------------------------------

void ClusterPart::lead(RedisConnection& follower) {
  followers_.push_back(&follower);
  if (state_ == State::up) follower.follow(node_);
}

void ClusterPart::let_go(RedisConnection& follower) { std::erase(followers_, &follower); }

// The follower's own callback may be running, in which it can't be given another leader.
void ClusterPart::misled(std::string_view why) {
  if (doubts_) return;
  doubts_ = loop().at(0, [this, why = std::string(why)] {
    doubts_.reset();
    if (state_ != State::away) doubt(why);
  });
}

}  // namespace letterbox
