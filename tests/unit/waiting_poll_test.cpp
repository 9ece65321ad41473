// SPDX-License-Identifier: MIT
//
// The states of a poll.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <vector>

#include "tests/unit/fake_waiting.h"
#include "waiting/poll.h"

namespace letterbox::test {
namespace {

using State = Poll::State;

struct Becoming : FakeWaiting {
  // A poll in that state, reached by the shortest way.
  std::shared_ptr<Poll> in(State state) {
    auto poll = make_poll();
    if (state == State::late) poll->become(State::parked);
    if (state != State::reading) poll->become(state);
    return poll;
  }

  // Whether a transition ends the program: tried in a child.
  bool is_refused(State from, State to) {
    const auto poll = in(from);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const rlimit none{0, 0};
      setrlimit(RLIMIT_CORE, &none);
      std::signal(SIGABRT, SIG_DFL);
      dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
      poll->become(to);
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  }
};

constexpr State kStates[] = {State::reading, State::queued, State::parked,
                             State::late,    State::slowed, State::ended};

TEST_CASE_FIXTURE(Becoming, "a poll that has ended goes nowhere any more") {
  for (const State to : kStates) CHECK(is_refused(State::ended, to));
}

TEST_CASE_FIXTURE(Becoming, "a poll whose answer is held back can only end") {
  for (const State to : kStates) CHECK(is_refused(State::late, to) == (to != State::ended));
}

TEST_CASE_FIXTURE(Becoming, "a poll that waits may read, be held back, or end") {
  for (const State from : {State::queued, State::parked, State::slowed}) {
    for (const State to : kStates) {
      const bool may = to == State::reading || to == State::late || to == State::ended;
      CHECK(is_refused(from, to) == !may);
    }
  }
}

TEST_CASE_FIXTURE(Becoming, "a poll that reads may wait or end") {
  for (const State to : kStates) {
    CHECK(is_refused(State::reading, to) == (to == State::reading || to == State::late));
  }
}

}  // namespace
}  // namespace letterbox::test
