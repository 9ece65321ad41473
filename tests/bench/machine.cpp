// SPDX-License-Identifier: MIT
#include "machine.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "process.h"
#include "text.h"

namespace letterbox::bench {
namespace {

/// The text after `mark`, up to one of `ends`; empty if there is no `mark`.
std::string after(const std::string& text, const std::string& mark, const char* ends = "\n") {
  const size_t at = text.find(mark);
  if (at == std::string::npos) return {};
  const size_t begin = text.find_first_not_of(" \t:", at + mark.size());
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_first_of(ends, begin) - begin);
}

std::string output(const std::vector<std::string>& command, const std::string& directory) {
  const std::string file = directory + "/version";
  unlink(file.c_str());
  run(command, file);
  return file_text(file);
}

std::string socketio_version(const Places& places) {
  const std::string lock = file_text(places.root + "/tests/bench/socketio/package-lock.json");
  return after(after(lock, R"("node_modules/socket.io")", "}"), R"("version": ")", "\"");
}

std::string today() {
  const time_t now = time(nullptr);
  tm utc{};
  gmtime_r(&now, &utc);
  char text[16];
  strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

}  // namespace

Description describe_machine(const Places& places) {
  const std::string& directory = places.directory;
  utsname system{};
  uname(&system);
  struct sysinfo memory {};
  sysinfo(&memory);
  const double gigabytes =
      static_cast<double>(memory.totalram) * memory.mem_unit / (1024.0 * 1024 * 1024);
  Description text{
      {"date", today()},
      {"processor", after(file_text("/proc/cpuinfo"), "model name")},
      {"cores", std::to_string(sysconf(_SC_NPROCESSORS_ONLN))},
      {"memory", grouped(gigabytes) + " GB"},
      {"system", after(file_text("/etc/os-release"), "PRETTY_NAME=\"", "\"")},
      {"kernel", std::string(system.sysname) + ' ' + system.release},
      {"nginx", after(output({"nginx", "-v"}, directory), "nginx/")},
      {"redis", after(output({"redis-server", "--version"}, directory), "v=", " ")},
  };
  const auto package = [&](const std::string& name) {
    return after(output({"dpkg-query", "--show", name}, directory), name);
  };
  if (missing_nchan(places).empty()) text.emplace_back("nchan", package("libnginx-mod-nchan"));
  if (missing_pushpin(places).empty()) text.emplace_back("Pushpin", package("pushpin"));
  if (missing_socketio(places).empty()) {
    text.emplace_back("Node.js", after(output({"node", "--version"}, directory), "v"));
    text.emplace_back("Socket.IO", socketio_version(places));
  }
  return text;
}

}  // namespace letterbox::bench
