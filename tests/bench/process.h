// SPDX-License-Identifier: MIT
//
// Processes: starting and ending them, and their figures in /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace letterbox::bench {

/// /// Starts a program that ends when this one does (however it ends). Its output goes to `log`;
/// `stdin_fd`, if given, becomes its fd 0, which is how a FastCGI program gets its socket. Throws
/// Failure.
pid_t spawn(const std::vector<std::string>& command, const std::string& log, int stdin_fd = -1);

/// Runs a program to its end, with output to `log`; its exit status, 128 + signal if one ended it.
int run(const std::vector<std::string>& command, const std::string& log);

/// /// SIGTERM, and SIGKILL for those still there after `patience` ns. Waits for them all, children
/// of this process or not.
void end_processes(const std::vector<pid_t>& pids, int64_t patience);

/// These and all their descendants that live.
std::vector<pid_t> family(const std::vector<pid_t>& pids);

/// /// User and system time in seconds, including children that the process has reaped. Summed over
/// a family it never shrinks when a child ends.
double cpu_seconds(pid_t pid);
double pss_kb(pid_t pid);
unsigned thread_count(pid_t pid);
/// How often its present threads have waited, since their start.
double wakeups(pid_t pid);
unsigned open_files(pid_t pid);
bool alive(pid_t pid);

/// This process's own.
double own_cpu_seconds();

}  // namespace letterbox::bench
