// SPDX-License-Identifier: MIT
#include "pushers.h"

#include <algorithm>

#include "failure.h"
#include "message.h"

namespace letterbox::bench {
namespace {

constexpr size_t kMostPacedConnections = 512;
constexpr size_t kPipelined = 32;

std::string refusal(const HttpAnswer& answer) {
  return "a push was answered " + std::to_string(answer.status) + ": " +
         std::string(answer.body.substr(0, 300));
}

}  // namespace

Pushers::Pushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger)
    : peer_(peer), dialect_(dialect), ledger_(ledger), busy_(ledger.users()) {}

HttpConnection& Pushers::add_connection() {
  user_of_.push_back(0);
  return connections_.emplace_back(peer_, *this, connections_.size());
}

unsigned Pushers::draw_user() {
  const unsigned users = ledger_.users();
  auto user = static_cast<unsigned>(random_() % users);
  // There are more users than connections, so a user is free.
  while (busy_[user]) user = (user + 1) % users;
  return user;
}

void Pushers::push(HttpConnection& connection) {
  const unsigned user = draw_user();
  busy_[user] = true;
  user_of_[connection.tag()] = user;
  ++under_way_;
  body_.clear();
  request_.clear();
  append_message(body_, {ledger_.name(user), ledger_.enter(user), now_ns()});
  dialect_.append_push(request_, {ledger_.name(user), body_});
  connection.send(request_);
}

void Pushers::release(HttpConnection& connection) {
  busy_[user_of_[connection.tag()]] = false;
  --under_way_;
  on_free(connection);
}

void Pushers::on_answer(HttpConnection& connection, const HttpAnswer& answer) {
  if (!dialect_.accepted(answer)) ledger_.refused(refusal(answer));
  release(connection);
}

void Pushers::on_lost(HttpConnection& connection) {
  ledger_.refused("a push's connection was closed without an answer");
  release(connection);
}

ClosedPushers::ClosedPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, unsigned connections)
    : Pushers(peer, dialect, ledger) {
  for (unsigned i = 0; i < std::min(connections, ledger.users()); ++i) {
    all_.push_back(&add_connection());
  }
}

void ClosedPushers::start() {
  running_ = true;
  for (HttpConnection* connection : all_) push(*connection);
}

void ClosedPushers::on_free(HttpConnection& connection) {
  if (running_) push(connection);
}

PacedPushers::PacedPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, double per_second)
    : Pushers(peer, dialect, ledger), interval_(static_cast<int64_t>(1e9 / per_second)) {
  const size_t most = std::min<size_t>(kMostPacedConnections, ledger.users());
  for (size_t i = 0; i < most; ++i) free_.push_back(&add_connection());
  peer_.loop.enlist(*this);
}

PacedPushers::~PacedPushers() { peer_.loop.dismiss(*this); }

void PacedPushers::on_due(int64_t now) {
  // The connection freed last is used first, so most of them are never opened.
  while (due_ <= now && !free_.empty()) {
    HttpConnection* connection = free_.back();
    free_.pop_back();
    most_behind_ = std::max(most_behind_, now_ns() - due_);
    due_ += interval_;
    push(*connection);
  }
}

BurstPushers::BurstPushers(HttpPeer& peer, Dialect& dialect, Ledger& ledger, unsigned connections,
                           unsigned per_user)
    : dialect_(dialect),
      ledger_(ledger),
      per_user_(per_user),
      depth_(dialect.batch_size() == 1 ? kPipelined : 1) {
  for (unsigned i = 0; i < connections; ++i) lines_.emplace_back(peer, *this, i);
  for (unsigned user = 0; user < ledger.users(); ++user) {
    lines_[user % lines_.size()].users.push_back(user);
  }
  const size_t batch = dialect.batch_size();
  for (const Line& line : lines_) requests_ += (line.users.size() * per_user + batch - 1) / batch;
}

void BurstPushers::start() {
  for (Line& line : lines_) fill(line);
}

void BurstPushers::fill(Line& line) {
  while (line.connection.unanswered() < depth_ && line.sent < line.users.size() * per_user_) {
    send_batch(line);
  }
}

void BurstPushers::send_batch(Line& line) {
  const size_t total = line.users.size() * per_user_;
  const size_t count = std::min(dialect_.batch_size(), total - line.sent);
  std::vector<Letter> letters;
  bodies_.resize(count);
  for (std::string& body : bodies_) {
    const unsigned user = line.users[line.sent++ % line.users.size()];
    body.clear();
    append_message(body, {ledger_.name(user), ledger_.enter(user), now_ns()});
    letters.push_back({ledger_.name(user), body});
  }
  request_.clear();
  dialect_.append_batch(request_, letters);
  line.connection.send(request_);
}

void BurstPushers::on_answer(HttpConnection& connection, const HttpAnswer& answer) {
  if (!dialect_.accepted(answer)) ledger_.refused(refusal(answer));
  ++answered_;
  fill(lines_[connection.tag()]);
}

void BurstPushers::on_lost(HttpConnection&) {
  throw Failure("the server closed a connection in the middle of a burst");
}

}  // namespace letterbox::bench
