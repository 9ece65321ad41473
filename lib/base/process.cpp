// SPDX-License-Identifier: MIT
#include "base/process.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace letterbox {

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

uint64_t count_fds() {
  // Since Linux 6.2 the folder's size is the number of descriptors. Before that it is 0, and they
  // are counted.
  struct stat folder {};
  if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
    return static_cast<uint64_t>(folder.st_size);
  }
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  return error ? 0 : static_cast<uint64_t>(std::distance(begin(fds), end(fds)));
}

}  // namespace

ProcessFigures process_figures() {
  ProcessFigures figures;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
  std::ifstream statm("/proc/self/statm");
  statm >> figures.virtual_bytes >> figures.resident_bytes;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  figures.virtual_bytes *= page;
  figures.resident_bytes *= page;
  figures.open_fds = count_fds();
  return figures;
}

}  // namespace letterbox
