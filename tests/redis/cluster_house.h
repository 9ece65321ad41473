// SPDX-License-Identifier: MIT
//
// A RedisCluster on a loop, with fake nodes: `a` has the slot of part 0, `b` that of part 1, and
// `c` is a replica, unless a test says otherwise. A test may stop the time, and let it jump.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "redis/cluster.h"
#include "redis/connection.h"
#include "tests/redis/eventually.h"
#include "tests/redis/fake_node.h"
#include "tests/redis/redis_worker.h"

namespace letterbox::test {

class ShiftedClock final : public Clock {
 public:
  uint64_t wall_ms() const override { return system_.wall_ms() + shift_ms_; }
  uint64_t steady_ms() const override {
    const uint64_t stopped = stopped_ms_;
    return (stopped != 0 ? stopped : system_.steady_ms()) + shift_ms_;
  }
  void stop() { stopped_ms_ = system_.steady_ms(); }
  bool stopped() const { return stopped_ms_ != 0; }
  void pass(uint64_t ms) { shift_ms_ += ms; }

 private:
  const SystemClock system_{};
  std::atomic<uint64_t> stopped_ms_{0};  // 0: it runs
  std::atomic<uint64_t> shift_ms_{0};
};

// What became of a command.
class Outcome {
 public:
  void set(const Reply& reply) {
    const std::lock_guard lock(mutex_);
    ++count_;
    said_ = !reply.came() ? "away"
            : reply.ok()  ? std::string(reply.text())
                          : std::string(reply.error());
  }
  int count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  // Waits for the answer.
  std::string said() const {
    if (!eventually([this] { return count() > 0; })) return "nothing";
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  mutable std::mutex mutex_;
  int count_ = 0;
  std::string said_;
};
using OutcomePtr = std::shared_ptr<Outcome>;

struct ClusterHouse {
  static constexpr uint64_t kPatienceMs = 8000;
  // A node in a view: none of its slots if it is a replica.
  struct Line {
    const FakeNode& node;
    uint64_t epoch;
    std::string slots;
  };

  ClusterHouse() {
    login.patience_ms = kPatienceMs;
    see(usual());
  }
  ~ClusterHouse() { end(); }
  ClusterHouse(const ClusterHouse&) = delete;
  ClusterHouse& operator=(const ClusterHouse&) = delete;

  static std::string view(const std::vector<Line>& lines) {
    std::string text;
    for (const auto& [node, epoch, slots] : lines) {
      const auto& [path, host, port, master, sentinels, nodes] = node.address();
      text += "0123abcd ";
      text += host + ":" + std::to_string(port) + "@17001";
      text += slots.empty() ? " slave" : " master";
      text += " - 0 0 " + std::to_string(epoch) + " connected ";
      text += slots;
      text += '\n';
    }
    return text;
  }
  std::vector<Line> usual() const { return {{a, 1, "0-8191"}, {b, 2, "8192-16383"}, {c, 1, ""}}; }
  // After a failover or a move of the slot: that node has what was at `a`.
  std::vector<Line> at(const FakeNode& node, uint64_t epoch) const {
    std::vector<Line> lines{{node, epoch, "0-8191"}, {b, 2, "8192-16383"}};
    for (const auto* other : {&a, &c}) {
      if (other != &node) lines.push_back({*other, epoch, ""});
    }
    return lines;
  }
  void see(const std::vector<Line>& lines) { see(view(lines)); }
  void see(const std::string& text) {
    for (auto* node : {&a, &b, &c}) node->see(text);
  }
  // No node gives a view: parts go where they are told by other means.
  void see_nothing() { see("-ERR no view"); }

  // Asks `a` first, unless a test has named others.
  void start() {
    if (login.address.nodes.empty()) login.address.nodes.push_back(a.address());
    std::vector<ClusterPart::Place> places{{.slot = 0, .greeting_keys = {"{0}"}},
                                           {.slot = 10'000, .greeting_keys = {"{1}"}}};
    cluster.emplace(loop, login, log, "test", greeting, std::move(places),
                    RedisCluster::Counters{});
    thread = std::thread([this] { loop.run(); });
    loop.post([this] { cluster->start(); });
  }
  void start_and_come_up() {
    start();
    REQUIRE(comes_up(0));
    REQUIRE(comes_up(1));
    // All nodes are connected.
    const int before = c.looks();
    REQUIRE(eventually([&] { return c.looks() > before; }));
  }
  // Ends the thread, then the cluster.
  void end() {
    if (!thread.joinable()) return;
    loop.stop();
    thread.join();
    followers.clear();
    cluster.reset();
    for (const auto& outcome : outcomes) CHECK(outcome->count() <= 1);
  }

  template <class Work>
  auto on_loop(Work work) {
    using Result = std::invoke_result_t<Work>;
    std::promise<Result> promise;
    loop.post([&] {
      if constexpr (std::is_void_v<Result>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return promise.get_future().get();
  }
  ClusterPart& part(size_t number) { return cluster->part(number); }
  bool is_up(size_t number) {
    return on_loop([&] { return part(number).up(); });
  }
  [[nodiscard]] bool comes_up(size_t number) {
    return eventually([&] { return is_up(number); });
  }
  [[nodiscard]] bool goes_down(size_t number) {
    return eventually([&] { return !is_up(number); });
  }
  // Empty: none.
  RedisAddress node_of(size_t number) {
    return on_loop([&] {
      const auto* node = part(number).node();
      return node != nullptr ? node->login().address : RedisAddress{};
    });
  }
  bool is_at(size_t number, const FakeNode& node) {
    return on_loop([&] {
      return part(number).up() && part(number).node()->login().address == node.address();
    });
  }
  [[nodiscard]] bool comes_to(size_t number, const FakeNode& node) {
    return eventually([&] { return is_at(number, node); });
  }
  std::string trouble(size_t number) {
    return on_loop([&] { return std::string(part(number).trouble()); });
  }
  uint64_t logins(size_t number) {
    return on_loop([&] { return part(number).logins(); });
  }
  // Until the nodes that answer were asked so often again for their views, and the last views have
  // been looked at.
  [[nodiscard]] bool looked(const FakeNode& node, int times = 2) {
    const int until = node.looks() + times + 1;
    return eventually([&] {
      if (clock.stopped()) pass(50);
      return node.looks() >= until;
    });
  }
  void pass(uint64_t ms) {
    clock.pass(ms);
    for (int turn = 0; turn < 2; ++turn) on_loop([] {});
  }

  OutcomePtr expect() { return outcomes.emplace_back(std::make_shared<Outcome>()); }
  // From the loop.
  OutcomePtr begin(Redis& redis, std::string_view word) {
    auto outcome = expect();
    redis.command({"GET", word}, [outcome](const Reply& reply) { outcome->set(reply); });
    return outcome;
  }
  // From the test's thread.
  OutcomePtr ask(size_t number, std::string_view word) {
    return on_loop([&] { return begin(part(number), word); });
  }
  std::vector<OutcomePtr> ask_each(size_t number, const std::vector<std::string>& words) {
    return on_loop([&] {
      std::vector<OutcomePtr> all;
      all.reserve(words.size());
      for (const auto& word : words) all.push_back(begin(part(number), word));
      return all;
    });
  }
  OutcomePtr run(size_t number, std::string_view word) {
    return on_loop([&] {
      auto outcome = expect();
      part(number).eval(script, std::vector<std::string_view>{"{0}"},
                        std::vector<std::string_view>{word},
                        [outcome](const Reply& reply) { outcome->set(reply); });
      return outcome;
    });
  }
  std::string said(size_t number, std::string_view word) { return ask(number, word)->said(); }

  static std::string moved(const FakeNode& node) {
    return "MOVED 0 " + node.address().host + ":" + std::to_string(node.address().port);
  }

  FakeNode a{"a"};
  FakeNode b{"b"};
  FakeNode c{"c"};
  const Script greeting{.sha1 = "0", .source = FakeNode::kGreeting};
  const Script script{.sha1 = "1", .source = "the script"};
  ShiftedClock clock;
  Log log{"test", silence(), Log::Level::info};
  RedisLogin login;
  Loop loop{clock};
  std::optional<RedisCluster> cluster;
  std::vector<std::unique_ptr<RedisConnection>> followers;
  std::vector<OutcomePtr> outcomes;
  std::thread thread;
};

}  // namespace letterbox::test
