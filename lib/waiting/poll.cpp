// SPDX-License-Identifier: MIT
#include "waiting/poll.h"

#include <cassert>

#include "waiting/room.h"

namespace letterbox {

namespace {

bool may_become(Poll::State from, Poll::State to) {
  using State = Poll::State;
  switch (from) {
    case State::reading:
      return to != State::reading && to != State::late;
    case State::queued:
    case State::parked:
    case State::slowed:
      return to == State::reading || to == State::late || to == State::ended;
    case State::sending:
      return to == State::reading || to == State::parked || to == State::ended;
    case State::late:
      return to == State::ended;
    case State::ended:
      break;
  }
  return false;
}

}  // namespace

ReplyTo::Taken ReplyTo::write(const Portion&) {
  assert(false);  // only a stream is written to before its end
  return Taken::all;
}

void Poll::gone() { room.leave(shared_from_this()); }

void Poll::took_all() { room.sent(shared_from_this()); }

void Poll::become(State next) {
  assert(may_become(state_, next));
  state_ = next;
}

}  // namespace letterbox
