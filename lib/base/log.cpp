// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/fd.h"
#include "base/text.h"

namespace letterbox {
namespace {

const SystemClock kSystemClock;

// The most bytes that a pipe takes in one piece. If stderr is a pipe, a longer line could be torn.
constexpr size_t kLineMax = PIPE_BUF;

Fd open_for_append(const std::string& path) {
  return Fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
}

std::string cannot_open(const std::string& path, int reason) {
  return "cannot open the log file " + path + ": " + std::strerror(reason);
}

std::string_view name_of(Log::Level level) {
  switch (level) {
    case Log::Level::error:
      return "error";
    case Log::Level::warn:
      return "warn";
    case Log::Level::info:
      return "info";
  }
  return "?";
}

void append_time(std::string& out, uint64_t time_ms) {
  const auto seconds = static_cast<time_t>(time_ms / 1000);
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  out.append(text, size);
  const auto ms = static_cast<unsigned>(time_ms % 1000);
  out += '.';
  for (const unsigned unit : {100U, 10U, 1U}) out += static_cast<char>('0' + ms / unit % 10);
  out += 'Z';
}

void append_escape(std::string& out, char byte) {
  switch (byte) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\x";
      out += hex({&byte, 1});
  }
}

void append_escaped(std::string& out, std::string_view text) {
  const bool utf8 = valid_utf8(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F, the other control characters: some terminals obey them.
    const bool c1 = byte == 0xC2 && utf8 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) {
      append_escape(out, text[i]);
      append_escape(out, text[++i]);
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      append_escape(out, text[i]);
    } else {
      out += text[i];
    }
  }
}

}  // namespace

Result<std::unique_ptr<Log>, std::string> Log::open(std::string program, std::string path,
                                                    Level level) {
  Fd file = open_for_append(path);
  if (!file) return cannot_open(path, errno);
  return std::unique_ptr<Log>(
      new Log(std::move(program), std::move(path), file.release(), level, kSystemClock));
}

Log::Log(std::string program, int fd, Level level)
    : Log(std::move(program), fd, level, kSystemClock) {}

Log::Log(std::string program, int fd, Level level, const Clock& clock)
    : Log(std::move(program), "", fd, level, clock) {}

Log::Log(std::string program, std::string path, int fd, Level level, const Clock& clock)
    : clock_(clock), program_(std::move(program)), path_(std::move(path)), fd_(fd), level_(level) {}

Log::~Log() {
  std::vector<Repeats::Count> counts;
  {
    Lock lock(mutex_);
    counts = errors_.rest();
  }
  write_counts(counts, clock_.wall_ms());
  if (!path_.empty()) ::close(fd_);
}

Result<void, std::string> Log::reopen() {
  if (path_.empty()) return {};
  const Fd file = open_for_append(path_);
  if (!file) return cannot_open(path_, errno);
  // dup3() is one step: a write of another thread goes into the old file or the new one.
  if (::dup3(file.get(), fd_, O_CLOEXEC) < 0) return cannot_open(path_, errno);
  return {};
}

std::string Log::line(uint64_t time_ms, std::string_view program, Level level,
                      std::string_view text) {
  constexpr std::string_view kCut = "...";
  std::string line;
  line.reserve(64 + text.size());
  append_time(line, time_ms);
  line += ' ';
  line += program;
  line += ' ';
  line += name_of(level);
  line += ": ";
  append_escaped(line, text);
  if (line.size() >= kLineMax) {
    line.resize(kLineMax - kCut.size() - 1);
    line.resize(valid_utf8_prefix(line));  // no half character
    line += kCut;
  }
  line += '\n';
  assert(line.size() <= kLineMax);  // so that it is one write
  return line;
}

void Log::write(Level level, std::string_view text) {
  const uint64_t now_ms = clock_.wall_ms();
  bool is_new = true;
  std::vector<Repeats::Count> counts;
  {
    Lock lock(mutex_);
    counts = errors_.due(now_ms);
    if (level == Level::error) is_new = errors_.is_new(text, now_ms);
  }
  write_counts(counts, now_ms);
  if (is_new) write_line(level, text, now_ms);
}

void Log::write_counts(const std::vector<Repeats::Count>& counts, uint64_t now_ms) const {
  for (const auto& count : counts) {
    std::string text =
        count.text + ", and " + std::to_string(count.more) + " more like it, the last at ";
    append_time(text, count.last_ms);
    write_line(Level::error, text, now_ms);
  }
}

void Log::write_line(Level level, std::string_view text, uint64_t now_ms) const {
  const std::string whole = line(now_ms, program_, level, text);
  while (::write(fd_, whole.data(), whole.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace letterbox
