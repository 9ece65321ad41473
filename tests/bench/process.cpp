// SPDX-License-Identifier: MIT
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "clock.h"
#include "failure.h"
#include "fd.h"
#include "text.h"

namespace letterbox::bench {
namespace {

std::string proc_path(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + '/' + file;
}

std::vector<std::string> entries(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  std::vector<std::string> names;
  if (!directory) return names;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

/// /// The fields of /proc/PID/stat from the third on (the second, a name in parentheses, may hold
/// anything); empty if there is no such process. [0] is the state, [1] the parent.
std::vector<std::string> stat_fields(pid_t pid) {
  const std::string text = file_text(proc_path(pid, "stat"));
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  return split(text.substr(name_end + 1), ' ');
}

constexpr size_t kState = 0;
constexpr size_t kParent = 1;
constexpr size_t kTimes = 11;  // utime, stime, cutime, cstime
constexpr size_t kThreads = 17;

/// In the child: becomes the program, or prints why not.
[[noreturn]] void become(const std::vector<std::string>& command, const std::string& log,
                         int stdin_fd, pid_t parent) {
  // The end of a parent before prctl would never be noticed.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = stdin_fd >= 0 ? stdin_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  dprintf(2, "can't run %s\n", arguments[0]);
  _exit(127);
}

/// Returns once it has ended, or at the deadline. A child is reaped.
bool wait_for_end(pid_t pid, int64_t deadline) {
  const Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (handle) {
    pollfd ended{.fd = handle.get(), .events = POLLIN, .revents = 0};
    const int64_t left = std::max<int64_t>(0, deadline - now_ns());
    if (poll(&ended, 1, static_cast<int>(left / kMillisecond)) <= 0) return false;
  }
  waitpid(pid, nullptr, WNOHANG);
  return true;
}

}  // namespace

pid_t spawn(const std::vector<std::string>& command, const std::string& log, int stdin_fd) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw system_failure("fork");
  if (pid == 0) become(command, log, stdin_fd, parent);
  return pid;
}

int run(const std::vector<std::string>& command, const std::string& log) {
  const pid_t pid = spawn(command, log);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void end_processes(const std::vector<pid_t>& pids, int64_t patience) {
  for (const pid_t pid : pids) kill(pid, SIGTERM);
  const int64_t deadline = now_ns() + patience;
  for (const pid_t pid : pids) {
    if (wait_for_end(pid, deadline)) continue;
    kill(pid, SIGKILL);
    wait_for_end(pid, now_ns() + kSecond);
  }
}

std::vector<pid_t> family(const std::vector<pid_t>& pids) {
  std::vector<std::pair<pid_t, pid_t>> parents;  // child, parent
  for (const std::string& name : entries("/proc")) {
    const auto pid = static_cast<pid_t>(std::atoi(name.c_str()));
    if (pid <= 0) continue;
    const auto fields = stat_fields(pid);
    if (fields.size() > kThreads) parents.emplace_back(pid, std::atoi(fields[kParent].c_str()));
  }
  std::vector<pid_t> members;
  for (const pid_t pid : pids) {
    if (alive(pid)) members.push_back(pid);
  }
  for (size_t i = 0; i < members.size(); ++i) {
    for (const auto& [child, parent] : parents) {
      if (parent == members[i]) members.push_back(child);
    }
  }
  return members;
}

double cpu_seconds(pid_t pid) {
  const auto fields = stat_fields(pid);
  if (fields.size() <= kThreads) return 0;
  double ticks = 0;
  for (size_t i = kTimes; i < kTimes + 4; ++i) ticks += std::atof(fields[i].c_str());
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double pss_kb(pid_t pid) {
  std::istringstream lines(file_text(proc_path(pid, "smaps_rollup")));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Pss:")) return std::atof(line.c_str() + 4);
  }
  return 0;
}

unsigned thread_count(pid_t pid) {
  const auto fields = stat_fields(pid);
  return fields.size() <= kThreads ? 0 : static_cast<unsigned>(std::atoi(fields[kThreads].c_str()));
}

double wakeups(pid_t pid) {
  const std::string tasks = proc_path(pid, "task");
  double sum = 0;
  for (const std::string& thread : entries(tasks)) {
    const std::string status = file_text(std::string(tasks).append("/").append(thread) + "/status");
    sum += std::atof(std::string(text_after(status, "\nvoluntary_ctxt_switches:")).c_str());
  }
  return sum;
}

unsigned open_files(pid_t pid) {
  return static_cast<unsigned>(entries(proc_path(pid, "fd")).size());
}

bool alive(pid_t pid) {
  const auto fields = stat_fields(pid);
  return !fields.empty() && fields[kState] != "Z";
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace letterbox::bench
