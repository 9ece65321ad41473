// SPDX-License-Identifier: MIT
//
// An Access that writes down each call. The test answers, when it likes and with what it likes, or
// sets `judges` to have every claim judged at once. For one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mailbox/access.h"

namespace letterbox::test {

// Claims of alice, or of the user named.
inline Claim vouched(std::string user = "alice") { return {.user = std::move(user)}; }
inline Claim by_token(std::string hash, std::string user = "alice") {
  return {.proof = Claim::Proof::token, .user = std::move(user), .hash = std::move(hash)};
}

class FakeAccess final : public Access {
 public:
  struct Admit {
    Claim claim;
    std::string address;
    Then<Admission> then;
  };
  struct Issue {
    std::string user;
    std::string hash;
    Token token;
    size_t most = 0;
    Then<bool> then;
  };
  struct Revocation {
    std::string user;
    std::string id;
    Then<uint64_t> then;
  };
  struct Lock {
    std::string user;
    std::string reason;
    Then<bool> then;
  };
  struct Kick {
    std::string user;
    std::string reason;
    uint64_t for_ms = 0;
    Then<bool> then;
  };

  explicit FakeAccess(const Clock& clock) : clock_(clock) {}

  void admit(const Claim& claim, std::string_view address, Then<Admission> then) override {
    ++asked;
    if (at_once) return then(verdict(claim));
    admits.push_back({claim, std::string(address), std::move(then)});
  }
  void issue(std::string_view user, std::string_view hash, const Token& token, size_t most,
             Then<bool> then) override {
    issues.push_back({std::string(user), std::string(hash), token, most, std::move(then)});
  }
  void tokens(std::string_view user, Then<std::vector<Token>> then) override {
    lists.emplace_back(user, std::move(then));
  }
  void revoke(std::string_view user, std::string_view id, Then<uint64_t> then) override {
    revocations.push_back({std::string(user), std::string(id), std::move(then)});
  }
  void standing(std::string_view user, Then<Standing> then) override {
    standings_asked.emplace_back(user, std::move(then));
  }
  void any_stands(std::span<const std::string> users, Then<bool> then) override {
    looked_at += users.size();
    const auto stands = [this](const auto& user) { return standings.contains(user); };
    then(is_away ? Or<bool>(Error{Code::store_unavailable, "away"})
                 : Or<bool>(std::any_of(users.begin(), users.end(), stands)));
  }
  void lock(std::string_view user, std::string_view reason, Then<bool> then) override {
    locks.push_back({std::string(user), std::string(reason), std::move(then)});
  }
  void unlock(std::string_view user, Then<bool> then) override {
    unlocks.emplace_back(user, std::move(then));
  }
  void kick(std::string_view user, std::string_view reason, uint64_t for_ms,
            Then<bool> then) override {
    kicks.push_back({std::string(user), std::string(reason), for_ms, std::move(then)});
  }

  // The verdict that follows from the users and tokens known here.
  Or<Admission> verdict(const Claim& claim) const {
    const auto standing = standings.find(claim.user);
    const auto record = records.find(claim.hash);
    return judge(claim, standing != standings.end() ? standing->second : Standing{},
                 record != records.end() ? std::optional(record->second) : std::nullopt,
                 clock_.wall_ms());
  }

  // A token of alice's that is good for an hour.
  Token& hand_out(const std::string& hash) {
    Token& token = records[hash];
    token.id = "alice." + hash;
    token.created_ms = clock_.wall_ms();
    token.expires_ms = clock_.wall_ms() + 3'600'000;
    return token;
  }
  void lock_out(const std::string& user) { standings[user].locked = Standing::Lock{}; }

  // Answers the oldest claim that waits.
  void answer_admit(Or<Admission> with) {
    if (admits.empty()) throw std::logic_error("nobody wants to come in");
    const auto admit = std::move(admits.front());
    admits.pop_front();
    admit.then(std::move(with));
  }
  void answer_admit() {
    if (admits.empty()) throw std::logic_error("nobody wants to come in");
    answer_admit(verdict(admits.front().claim));
  }

  // The users and tokens that `verdict` knows.
  std::map<std::string, Standing> standings;
  std::map<std::string, Token> records;  // by their hashes
  bool at_once = false;
  size_t asked = 0;      // number of claims asked about
  size_t looked_at = 0;  // number of claims asked about in bulk
  bool is_away = false;  // for those in bulk

  // The calls that wait for an answer, oldest first.
  std::deque<Admit> admits;
  std::deque<Issue> issues;
  std::deque<std::pair<std::string, Then<std::vector<Token>>>> lists;
  std::deque<Revocation> revocations;
  std::deque<std::pair<std::string, Then<Standing>>> standings_asked;
  std::deque<Lock> locks;
  std::deque<std::pair<std::string, Then<bool>>> unlocks;
  std::deque<Kick> kicks;

 private:
  const Clock& clock_;
};

}  // namespace letterbox::test
