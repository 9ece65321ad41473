// SPDX-License-Identifier: MIT
#include "audience.h"

#include <algorithm>
#include <utility>

namespace letterbox::bench {
namespace {

constexpr size_t kAddresses = 64;
// The pause before a client comes back to a server in trouble: ms, doubled with each trouble in a
// row, and jittered.
constexpr uint32_t kAfterTrouble = 200;
constexpr unsigned kMostDoublings = 5;

}  // namespace

Audience::Audience(HttpPeer& peer, Dialect& dialect, Ledger& ledger, uint8_t source)
    : loop_(peer.loop), dialect_(dialect), ledger_(ledger) {
  for (size_t user = 0; user < ledger.users(); ++user) {
    const size_t address = user % kAddresses * 256 + source;
    members_.emplace_back(peer, *this, user, static_cast<uint16_t>(address));
  }
  loop_.enlist(*this);
}

Audience::~Audience() { loop_.dismiss(*this); }

void Audience::come(double per_second) {
  between_arrivals_ = static_cast<int64_t>(1e9 / per_second);
  arrived_ = 0;
  next_arrival_ = now_ns();
}

void Audience::leave() {
  next_arrival_ = kNever;
  later_.clear();
  for (Member& member : members_) member.connection.close();
}

int64_t Audience::next_due() const {
  return later_.empty() ? next_arrival_ : std::min(next_arrival_, later_.begin()->first);
}

void Audience::on_due(int64_t now) {
  while (next_arrival_ <= now) {
    poll(members_[arrived_++]);
    next_arrival_ = here() ? kNever : next_arrival_ + between_arrivals_;
  }
  while (!later_.empty() && later_.begin()->first <= now) {
    const size_t user = later_.begin()->second;
    later_.erase(later_.begin());
    poll(members_[user]);
  }
}

void Audience::poll(Member& member) {
  request_.clear();
  const auto user = static_cast<unsigned>(member.connection.tag());
  dialect_.append_poll(request_, channel_.empty() ? ledger_.name(user) : channel_, member.cursor);
  member.connection.send(request_);
}

void Audience::poll_later(size_t user, uint32_t milliseconds) {
  later_.emplace(now_ns() + milliseconds * kMillisecond, user);
}

void Audience::poll_after_trouble(Member& member, uint32_t at_least) {
  const uint32_t most = kAfterTrouble << std::min(member.troubles++, kMostDoublings);
  const auto back_off = static_cast<uint32_t>(most / 2 + random_() % (most / 2));
  poll_later(member.connection.tag(), std::max(back_off, at_least));
}

void Audience::on_answer(HttpConnection& connection, const HttpAnswer& answer) {
  const size_t user = connection.tag();
  Member& member = members_[user];
  const PollReading reading = dialect_.read_poll(answer, member.cursor, bodies_);
  if (reading.kind == PollReading::refused) {
    ledger_.refused("a poll was answered " + std::to_string(answer.status) + ": " +
                    std::string(answer.body.substr(0, 300)));
    if (!answer.goes_on) return poll_after_trouble(member, reading.retry_after_ms);
  }
  member.troubles = 0;
  for (const std::string_view body : bodies_) {
    ledger_.delivered(static_cast<unsigned>(user), body, answer.read_at);
  }
  if (reading.kind == PollReading::nothing) ++timeouts_;
  if (reading.missed > 0) {
    ledger_.refused("a poll missed " + std::to_string(reading.missed) + " messages");
  }
  member.retry_after_ms = std::max(member.retry_after_ms, reading.retry_after_ms);
  if (answer.goes_on) return;
  if (const uint32_t wait = std::exchange(member.retry_after_ms, 0)) return poll_later(user, wait);
  if (span_ > 0 && reading.kind == PollReading::messages) {
    return poll_later(user, static_cast<uint32_t>(random_() % (span_ / kMillisecond)));
  }
  poll(member);
}

void Audience::on_lost(HttpConnection& connection) {
  ledger_.refused("a poll's connection was closed without an answer");
  poll_after_trouble(members_[connection.tag()], 0);
}

}  // namespace letterbox::bench
