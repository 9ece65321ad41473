// SPDX-License-Identifier: MIT
//
// A worker as in the programs: a loop on a thread of its own, a connection to Redis, a store. The
// test's thread asks, and waits for the answer.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "mailbox/redis_store.h"
#include "model/message.h"
#include "redis/connection.h"
#include "tests/redis/eventually.h"
#include "waiting/poll.h"

namespace letterbox::test {

// A reply that outlives its callback.
struct Value {
  explicit Value(const Reply& reply)
      : failure(reply.failure()),
        error(reply.error()),
        nil(reply.is_nil()),
        text(reply.text()),
        integer(reply.integer()) {
    for (size_t i = 0; i < reply.size(); ++i) items.emplace_back(reply[i]);
  }

  bool ok() const { return failure == Reply::Failure::none; }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const auto& item : items) all.push_back(item.text);
    return all;
  }

  Reply::Failure failure;
  std::string error;
  bool nil;
  std::string text;
  int64_t integer;
  std::vector<Value> items;
};

// What is asked of a mailbox: all messages after the cursor, with nothing noted, unless a test
// changes it.
struct Ask {
  std::string user = "alice";
  std::string client = {};
  std::optional<Cursor> after = {};
  bool foreign = false;
  std::optional<Cursor> acknowledged = {};
  bool stream = false;
  size_t limit = 100;
  uint64_t watch_until = 0;
  uint64_t park_until = 0;
};

// What was read, with its messages as a text of its own: JSON objects, separated by commas.
struct ReadText {
  explicit ReadText(const Reading& reading)
      : count(reading.messages.size()),
        cursor(reading.cursor),
        newest(reading.newest),
        missed(reading.missed),
        collapsed(reading.collapsed),
        reset(reading.reset),
        raw(reading.raw) {
    for (const auto& message : reading.messages) {
      if (!messages.empty()) messages += ',';
      append_message(messages, message);
    }
  }

  size_t count;
  std::string messages;
  Cursor cursor;
  Cursor newest;
  uint64_t missed;
  uint64_t collapsed;
  bool reset;
  bool raw;
};

// A log that no test reads.
inline int silence() {
  static const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  return null.get();
}

class RedisWorker {
 public:
  // `its_clock` is the store's; the loop and the connection use the real one.
  RedisWorker(RedisLogin its_login, const Clock& its_clock, const MailboxLimits& limits = {},
              const std::string& program = "program", int log_fd = silence())
      : login(std::move(its_login)),
        log("test", log_fd, Log::Level::info),
        redis(loop, login, log, "test", {.up = [this] { ++ups; }, .down = [this] { ++downs; }}),
        store(redis, its_clock, limits, program),
        clock(its_clock),
        thread([this] { loop.run(); }) {
    loop.post([this] { redis.start(); });
  }
  ~RedisWorker() { halt(); }
  RedisWorker(const RedisWorker&) = delete;
  RedisWorker& operator=(const RedisWorker&) = delete;

  // Ends the thread; the loop and the objects on it stay.
  void halt() {
    if (!thread.joinable()) return;
    loop.stop();
    thread.join();
  }

  // Begins something on the loop, and waits for its callback. Returns what it was called with.
  template <class T>
  T await(const std::function<void(std::function<void(T)>)>& begin) {
    const auto promise = std::make_shared<std::promise<T>>();
    auto answer = promise->get_future();
    loop.post(
        [&begin, promise] { begin([promise](T value) { promise->set_value(std::move(value)); }); });
    if (answer.wait_for(kDeadline) != std::future_status::ready) {
      throw std::runtime_error("no answer in time");
    }
    return answer.get();
  }

  // Does `work` on the loop. Returns its result.
  template <class Work>
  auto on_loop(Work work) {
    return await<std::invoke_result_t<Work>>([&work](const auto& then) { then(work()); });
  }

  bool is_up() {
    return on_loop([this] { return redis.up(); });
  }
  [[nodiscard]] bool comes_up() {
    return eventually([this] { return is_up(); });
  }

  Value ask(const std::vector<std::string_view>& words, uint64_t extra_patience_ms = 0) {
    return await<Value>([&](const auto& then) {
      redis.command(
          words, [then](const Reply& reply) { then(Value(reply)); }, extra_patience_ms);
    });
  }

  Or<Pushed> push(std::string_view user, std::string_view data = "1", uint64_t expires = 0) {
    const std::string element = make_element("mail", data, clock.wall_ms(), expires);
    return await<Or<Pushed>>([&](const auto& then) { store.push(user, element, then); });
  }
  Or<Pushed> push(std::string_view user, std::string_view data, const PushOptions& options) {
    const std::string element = make_element("mail", data, clock.wall_ms(), 0);
    return await<Or<Pushed>>([&](const auto& then) {
      store.push_each({&user, 1}, element, options,
                      [then](const auto& outcomes) { then(outcomes.front()); });
    });
  }
  Or<ReadText> read(const Ask& ask) {
    const ReadRequest request{.user = ask.user,
                              .client = ask.client,
                              .after = ask.after,
                              .foreign = ask.foreign,
                              .acknowledged = ask.acknowledged,
                              .stream = ask.stream,
                              .limit = ask.limit,
                              .watch_until = ask.watch_until,
                              .park_until = ask.park_until};
    return await<Or<ReadText>>([&](const auto& then) {
      store.read(request, [then](const Or<Reading>& reading) {
        then(reading ? Or<ReadText>(ReadText(*reading)) : reading.error());
      });
    });
  }
  Or<MailboxView> view(std::string_view user) {
    return await<Or<MailboxView>>([&](const auto& then) { store.view(user, {}, then); });
  }
  // The ids of the messages that a view has.
  std::vector<Cursor> shown(std::string_view user, const Window& window) {
    return await<std::vector<Cursor>>([&](const auto& then) {
      store.view(user, window, [then](const Or<MailboxView>& view) {
        std::vector<Cursor> ids;
        if (view) {
          for (const auto& message : view->messages) ids.push_back(message.id);
        }
        then(ids);
      });
    });
  }
  Or<uint64_t> unread(std::string_view user, std::string_view client) {
    return await<Or<uint64_t>>([&](const auto& then) { store.unread(user, client, then); });
  }
  Or<bool> retract(std::string_view user, const Cursor& message) {
    return await<Or<bool>>([&](const auto& then) { store.retract(user, message, then); });
  }
  Or<bool> remove(std::string_view user) {
    return await<Or<bool>>([&](const auto& then) { store.remove(user, then); });
  }
  Or<Pushed> adopt(std::string_view user, std::string_view raw) {
    return await<Or<Pushed>>([&](const auto& then) { store.adopt(user, raw, then); });
  }
  Or<bool> adopt_all(std::string_view user) {
    return await<Or<bool>>([&](const auto& then) { store.adopt_all(user, then); });
  }

  // In the order in which they need one another.
  const SystemClock real_time;
  const RedisLogin login;
  Log log;
  std::atomic<int> ups{0};
  std::atomic<int> downs{0};
  Loop loop{real_time};
  RedisConnection redis;
  RedisStore store;
  Desk desk{loop, store};
  const Clock& clock;
  std::thread thread;
};

}  // namespace letterbox::test
