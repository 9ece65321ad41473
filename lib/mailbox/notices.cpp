// SPDX-License-Identifier: MIT
#include "mailbox/notices.h"

#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "base/text.h"
#include "mailbox/keys.h"

namespace letterbox {

namespace {

constexpr uint64_t kBlockMs = 5000;
// Where something that is no stream stands in its place.
constexpr uint64_t kAgainMs = 500;

// An entry is: ID [number N user NAME].
uint64_t number_of(const Reply& entry) { return entry[1][1].number(); }
bool well_formed(const Reply& entry) { return entry.size() == 2 && entry[1].size() == 4; }

}  // namespace

Notices::Notices(Loop& loop, Redis& leader, Events events, RedisFigures* figures)
    : loop_(loop),
      events_(std::move(events)),
      redis_(leader, "letterbox-notices",
             {.up = [this] { listen_from_the_end(); },
              .down = [this] { went_down(); },
              .logged = false,
              .figures = figures}) {}

void Notices::start() { redis_.start(); }

void Notices::went_down() {
  if (later_) loop_.cancel(*std::exchange(later_, std::nullopt));
  if (std::exchange(listening_, false)) events_.deaf();
}

void Notices::listen_from_the_end() {
  redis_.command({"XREVRANGE", shared_keys(redis_.part()).notices, "+", "-", "COUNT", "1"},
                 [this](const Reply& reply) {
                   if (!reply.ok()) return failed(reply);
                   const bool any = reply.size() == 1 && reply[0].size() == 2;
                   const std::string last(any ? reply[0][0].text() : "0-0");
                   if (!listening_ || last != last_) {
                     last_ = last;
                     number_ = any && well_formed(reply[0]) ? number_of(reply[0]) : 0;
                     listening_ = true;
                     events_.listening();
                   }
                   ask();
                 });
}

void Notices::ask() {
  redis_.command(
      {"XREAD", "COUNT", kTextOf<kHeardNotices>, "BLOCK", kTextOf<kBlockMs>, "STREAMS",
       shared_keys(redis_.part()).notices, last_},
      [this](const Reply& reply) { answered(reply); }, kBlockMs);
}

void Notices::answered(const Reply& reply) {
  if (!reply.ok()) return failed(reply);
  if (reply.size() == 1 && reply[0].size() == 2) {
    take(reply[0][1]);
    ask();
  } else {
    // Nothing came for kBlockMs. The stream may have been made again by a Redis whose clock went
    // back: then its end lies before `last_`, and XREAD would wait there for ever.
    listen_from_the_end();
  }
}

// (If the connection is lost, listening starts again when it is up.)
void Notices::failed(const Reply& reply) {
  if (!reply.came()) return;
  if (std::exchange(listening_, false)) events_.deaf();
  listen_later();
}

void Notices::take(const Reply& entries) {
  bool all_heard = true;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Reply entry = entries[i];
    last_ = entry[0].text();
    if (!well_formed(entry)) continue;
    // A gap means missed notices: the stream keeps only the latest, and Redis may have been
    // emptied.
    all_heard = all_heard && number_of(entry) == number_ + 1;
    number_ = number_of(entry);
    events_.heard(entry[1][3].text());
  }
  if (!all_heard) {
    rare<"notices were missed">();
    events_.listening();
  }
}

void Notices::listen_later() {
  later_ = loop_.at(loop_.clock().steady_ms() + kAgainMs, [this] {
    later_.reset();
    listen_from_the_end();
  });
}

}  // namespace letterbox
