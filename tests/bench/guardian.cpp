// SPDX-License-Identifier: MIT
#include "guardian.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "clock.h"
#include "failure.h"
#include "process.h"

namespace letterbox::bench {
namespace {

constexpr int64_t kPatience = 5 * kSecond;  // Redis writes its file out, nginx its last answers

/// /// All processes below this one. Those that ended may have given others to it, so it looks
/// until there are none.
void end_descendants() {
  for (;;) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::vector<pid_t> below = family({getpid()});
    std::erase(below, getpid());
    if (below.empty()) return;
    end_processes(below, kPatience);
  }
}

void remove(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

/// /// Returns the child's exit status. Passes signals that ask for an end on to it; after
/// `seconds` it asks the child to end.
int watch(pid_t child, const sigset_t& signals, unsigned seconds) {
  alarm(seconds);
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGALRM) {
      std::fprintf(stderr, "bench: it took too long, and is stopped\n");
      alarm(10);
    }
    if (signal != SIGCHLD) {
      kill(child, SIGTERM);
      continue;
    }
    // Adopted daemons end here, too.
    int status = 0;
    for (pid_t ended = 0; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
}

}  // namespace

int guarded(unsigned seconds, const std::function<int(const std::string& directory)>& work) {
  // Short, because the paths of unix sockets are.
  std::string directory = "/tmp/lbb.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) throw system_failure("mkdtemp " + directory);
  // A server's worker that runs as another user has to reach its sockets.
  std::filesystem::permissions(directory, std::filesystem::perms(0755));

  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  prctl(PR_SET_CHILD_SUBREAPER, 1);

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw system_failure("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    catch_interrupts();
    sigprocmask(SIG_SETMASK, &before, nullptr);
    const int status = work(directory);
    std::fflush(nullptr);
    // The parent does this too, but may have been killed.
    remove(directory);
    _exit(status);
  }
  const int status = watch(child, signals, seconds);
  end_descendants();
  remove(directory);
  return status;
}

}  // namespace letterbox::bench
