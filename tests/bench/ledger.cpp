// SPDX-License-Identifier: MIT
#include "ledger.h"

#include <algorithm>

#include "failure.h"
#include "message.h"
#include "text.h"

namespace letterbox::bench {
namespace {

constexpr uint64_t kMostRefusals = 10'000;  // and five a user

}  // namespace

void Verdict::add(const Verdict& other) {
  pushed += other.pushed;
  delivered += other.delivered;
  lost += other.lost;
  doubled += other.doubled;
  disordered += other.disordered;
  foreign += other.foreign;
  refused += other.refused;
}

std::string Verdict::sentence() const {
  if (right()) return "all " + grouped(static_cast<double>(pushed)) + " right";
  std::string out = "of " + grouped(static_cast<double>(pushed)) + ":";
  const auto tell = [&](uint64_t count, const char* what) {
    if (count > 0) out += ' ' + grouped(static_cast<double>(count)) + ' ' + what;
  };
  tell(lost, "lost");
  tell(doubled, "doubled");
  tell(disordered, "out of order");
  tell(foreign, "foreign");
  tell(refused, "refused");
  return out;
}

Ledger::Ledger(std::string_view prefix, unsigned users)
    : everybody_(std::string(prefix) + "-all"), pages_(users) {
  for (unsigned i = 0; i < users; ++i) {
    pages_[i].name = std::string(prefix) + '-' + std::to_string(i);
    pages_[i].seen.resize(1);
  }
}

uint32_t Ledger::enter(unsigned user) {
  ++verdict_.pushed;
  return ++pages_[user].pushed;
}

// (If there are no other pushes, the number is the same for each.)
uint32_t Ledger::enter_for_everybody() {
  uint32_t number = 0;
  for (unsigned user = 0; user < users(); ++user) number = enter(user);
  return number;
}

void Ledger::refused(std::string_view text) {
  if (verdict_.refused++ == 0) first_refusal_ = text;
  if (verdict_.refused > kMostRefusals + size_t{5} * users()) {
    throw Failure("given up: " + first_refusal_);
  }
}

void Ledger::delivered(unsigned user, std::string_view body, int64_t read_at) {
  Page& page = pages_[user];
  const auto message = read_message(body);
  const bool his = message && (message->user == page.name || message->user == everybody_);
  if (!his || message->number == 0 || message->number > page.pushed) {
    ++verdict_.foreign;
    return;
  }
  if (page.seen.size() <= message->number) page.seen.resize(message->number + 1);
  if (page.seen[message->number]) {
    ++verdict_.doubled;
    return;
  }
  page.seen[message->number] = true;
  ++verdict_.delivered;
  last_arrival_ = read_at;
  if (message->number < page.highest) ++verdict_.disordered;
  page.highest = std::max(page.highest, message->number);
  if (message->written >= window_begin_ && message->written < window_end_) {
    latencies_.push_back(read_at - message->written);
  }
}

Verdict Ledger::verdict() const {
  Verdict verdict = verdict_;
  verdict.lost = verdict.pushed - verdict.delivered;
  return verdict;
}

}  // namespace letterbox::bench
