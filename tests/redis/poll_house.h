// SPDX-License-Identifier: MIT
//
// letterbox-poll without its FastCGI side: workers, an address, lanes and a room on a real Redis,
// and guests that poll. The house has no ticker, so no poll ever times out: a poll that is not
// woken waits for ever.
#pragma once

#include <algorithm>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/redis/eventually.h"
#include "tests/redis/print.h"
#include "tests/redis/redis_worker.h"
#include "waiting/address.h"
#include "waiting/parted_lanes.h"
#include "waiting/room.h"

namespace letterbox::test {

// A client, and the poll with which it waits. Any thread.
class Guest {
 public:
  // The answer in the end: a JSON document, or the name of an error.
  std::string answer() {
    if (future_.wait_for(kDeadline) != std::future_status::ready) {
      throw std::runtime_error("not answered in time");
    }
    return future_.get();
  }
  bool waits() const {
    return future_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }
  // On the loop of the worker that took the poll.
  void leave() {
    std::shared_ptr<PeerListener> listener;
    {
      const std::lock_guard lock(mutex_);
      listener = listener_.lock();
    }
    if (listener) listener->gone();
  }

 private:
  friend class GuestReplyTo;

  std::promise<std::string> promise_;
  std::future<std::string> future_ = promise_.get_future();
  std::mutex mutex_;
  std::weak_ptr<PeerListener> listener_;
};

class GuestReplyTo final : public ReplyTo {
 public:
  explicit GuestReplyTo(std::shared_ptr<Guest> guest) : guest_(std::move(guest)) {}

  void answer(const Ending& ending) override { guest_->promise_.set_value(to_json(ending)); }
  void refuse(const Error& error) override {
    guest_->promise_.set_value(std::string(info(error.code).name));
  }
  bool when_gone(std::weak_ptr<PeerListener> listener) override {
    if (!guest_->waits()) return false;
    const std::lock_guard lock(guest_->mutex_);
    guest_->listener_ = std::move(listener);
    return true;
  }

 private:
  std::shared_ptr<Guest> guest_;
};

class PollHouse {
 public:
  PollHouse(RedisLogin its_login, size_t most_lanes, size_t count = 2,
            const std::string& program = "house", size_t parts = 1)
      : login(std::move(its_login)), lanes(clock, parts, most_lanes, kMailboxesOfALane) {
    std::vector<ListenerHost> hosts;
    for (size_t i = 0; i < count; ++i) {
      workers.push_back(std::make_unique<RedisWorker>(login, clock, MailboxLimits{}, program));
      hosts.push_back({workers.back()->desk, workers.back()->redis});
    }
    address = std::make_shared<Address>(hosts.front(), room, program);
    lanes.open(
        room, [&hosts](size_t) { return hosts; }, workers.front()->log);
    for (auto& worker : workers) {
      worker->on_loop([&] {
        hear_own_pushes(worker->store, worker->desk, room);
        return true;
      });
    }
    if (!comes_up()) throw std::runtime_error("no Redis");
    workers.front()->loop.post([this] { address->start(); });
  }
  ~PollHouse() {
    for (auto& worker : workers) worker->halt();
    address->close();
  }
  PollHouse(const PollHouse&) = delete;
  PollHouse& operator=(const PollHouse&) = delete;

  // Whether each worker has its connection, without which it takes no poll.
  [[nodiscard]] bool comes_up() {
    return std::all_of(workers.begin(), workers.end(),
                       [](auto& worker) { return worker->comes_up(); });
  }

  // Polls by one worker after the other. Without `after` the store keeps the cursor.
  std::shared_ptr<Guest> poll(const std::string& user, std::optional<Cursor> after = {},
                              const std::string& client = "") {
    Question question;
    question.user = user;
    question.client = client;
    question.by_cursor = after.has_value();
    question.after = after.value_or(Cursor{});
    question.timeout_ms = 50'000;
    auto guest = std::make_shared<Guest>();
    RedisWorker& worker = *workers[next_++ % workers.size()];
    worker.loop.post([this, &worker, question, guest] {
      room.enter(worker.desk, question, std::make_shared<GuestReplyTo>(guest));
    });
    return guest;
  }

  // In the order in which they need one another.
  const SystemClock clock;
  const RedisLogin login;
  std::vector<std::unique_ptr<RedisWorker>> workers;
  PartedLanes lanes;
  Room room{clock, lanes, [] {}};
  std::shared_ptr<Address> address;

 private:
  static constexpr size_t kMailboxesOfALane = 4;

  size_t next_ = 0;
};

}  // namespace letterbox::test
