// SPDX-License-Identifier: MIT
//
// Stands for the name servers: hangs when the test says so, and counts the lookups.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "redis/lookup.h"

namespace letterbox::test {

// Any thread. The part that it shares with the threads that look up may outlive it.
class FakeNameServer {
 public:
  explicit FakeNameServer(Resolver knows) { this->knows(std::move(knows)); }
  ~FakeNameServer() { hang(false); }  // or its threads would stay
  FakeNameServer(const FakeNameServer&) = delete;
  FakeNameServer& operator=(const FakeNameServer&) = delete;

  Resolver resolver() const {
    return [state = state_](const std::string& host) -> Hosts {
      std::unique_lock lock(state->mutex);
      ++state->asked;
      state->changed.wait(lock, [&] { return !state->hangs; });
      return state->knows(host);
    };
  }
  void knows(Resolver knows) {
    const std::lock_guard lock(state_->mutex);
    state_->knows = std::move(knows);
  }
  void hang(bool hangs = true) {
    const std::lock_guard lock(state_->mutex);
    state_->hangs = hangs;
    state_->changed.notify_all();
  }
  int asked() const {
    const std::lock_guard lock(state_->mutex);
    return state_->asked;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    Resolver knows;
    bool hangs = false;
    int asked = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace letterbox::test
