// SPDX-License-Identifier: MIT
//
// A store that writes down each call. The test answers, when it likes, in what order it likes and
// with what it likes. For one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/store.h"

namespace letterbox::test {

inline Error away() { return {Code::store_unavailable, "the store is away", 1500}; }

class FakeStore final : public Store {
 public:
  // A ReadRequest that owns its texts.
  struct Read {
    std::string user;
    std::string client;
    std::optional<Cursor> after;
    bool foreign = false;
    std::optional<Cursor> acknowledged;
    bool stream = false;
    size_t limit = 0;
    uint64_t watch_until = 0;
    uint64_t park_until = 0;
    Then<Reading> then;
  };
  // The arguments of peek(), with texts of its own.
  struct Peek {
    std::vector<std::pair<std::string, std::string>> clients;  // user and name
    bool lists = false;
    Then<Glimpses> then;
  };
  struct Ack {
    std::string user;
    std::string client;
    Cursor after;
    uint64_t park_until = 0;
    Then<bool> then;
  };
  struct Push {
    std::string user;
    std::string element;
    PushOptions options;
    Then<Pushed> then;
  };
  struct Adoption {
    std::string user;
    std::string raw;
    Then<Pushed> then;
  };
  struct Unread {
    std::string user;
    std::string client;
    Then<uint64_t> then;
  };
  struct Retraction {
    std::string user;
    Cursor message;
    Then<bool> then;
  };
  struct AdoptionOfAll {
    std::string user;
    Then<bool> then;
  };

  // Each push can be answered by itself; the caller hears of all with the last.
  void push_each(std::span<const std::string_view> users, std::string_view element,
                 const PushOptions& options, ThenEach then) override {
    struct Call {
      size_t left;
      std::vector<Or<Pushed>> outcomes;
      ThenEach then;
    };
    ++push_calls;
    const auto call = std::make_shared<Call>(Call{users.size(), {}, std::move(then)});
    call->outcomes.resize(users.size(), away());
    for (size_t i = 0; i < users.size(); ++i) {
      pushes.push_back({std::string(users[i]), std::string(element), options,
                        [call, i](const Or<Pushed>& outcome) {
                          call->outcomes[i] = outcome;
                          if (--call->left == 0) call->then(call->outcomes);
                        }});
    }
  }
  void read(const ReadRequest& request, Then<Reading> then) override {
    auto& list = request.limit > 0 ? reads : notes;
    list.push_back({std::string(request.user), std::string(request.client), request.after,
                    request.foreign, request.acknowledged, request.stream, request.limit,
                    request.watch_until, request.park_until, std::move(then)});
  }
  void peek(std::span<const Parked> clients, bool lists, Then<Glimpses> then) override {
    auto& peek = peeks.emplace_back(Peek{{}, lists, std::move(then)});
    for (const auto& [user, client] : clients) peek.clients.emplace_back(user, client);
  }
  void acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                   uint64_t park_until, Then<bool> then) override {
    acks.push_back({std::string(user), std::string(client), after, park_until, std::move(then)});
  }
  void view(std::string_view user, const Window& window, Then<MailboxView> then) override {
    windows.push_back(window);
    views.emplace_back(user, std::move(then));
  }
  void unread(std::string_view user, std::string_view client, Then<uint64_t> then) override {
    unreads.push_back({std::string(user), std::string(client), std::move(then)});
  }
  void retract(std::string_view user, const Cursor& message, Then<bool> then) override {
    retractions.push_back({std::string(user), message, std::move(then)});
  }
  void remove(std::string_view user, Then<bool> then) override {
    removals.emplace_back(user, std::move(then));
  }
  void adopt(std::string_view user, std::string_view raw, Then<Pushed> then) override {
    adoptions.push_back({std::string(user), std::string(raw), std::move(then)});
  }
  void adopt_all(std::string_view user, Then<bool> then) override {
    adoptions_of_all.push_back({std::string(user), std::move(then)});
  }

  // The calls that wait for an answer, oldest first.
  std::deque<Read> reads;
  std::deque<Read> notes;  // reads with limit 0: they acknowledge and note
  std::deque<Peek> peeks;
  std::deque<Ack> acks;
  std::deque<Push> pushes;
  size_t push_calls = 0;
  std::deque<std::pair<std::string, Then<MailboxView>>> views;
  std::vector<Window> windows;  // of all views so far
  std::deque<Unread> unreads;
  std::deque<Retraction> retractions;
  std::deque<std::pair<std::string, Then<bool>>> removals;
  std::deque<Adoption> adoptions;
  std::deque<AdoptionOfAll> adoptions_of_all;
};

}  // namespace letterbox::test
