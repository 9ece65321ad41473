// SPDX-License-Identifier: MIT
//
// The log, with one line an event, for the person on call:
//
//     2026-11-21T20:18:03.123Z letterbox-poll warn: redis is away, trying again in 200 ms
//
// `main()` makes one and hands it down. Any thread may write at any time, also while another calls
// reopen(): a line is one write(2) and needs no lock. Bytes that could end a line or steer a
// terminal are written as escapes (`\n`, `\x1b`), so that nothing from outside forges a line.
// A line that can't be written (a full disk) is dropped; logging never stops the program.
//
// An error that repeats (one wrong key in Redis causes one for each push) is written at most once
// in ten seconds, and counted meanwhile: "…, and 4312 more like it, the last at TIME". After these
// ten seconds the count comes with the next line of any kind. Warnings and infos tell of changes,
// and are written each time.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/repeats.h"
#include "base/result.h"
#include "base/sync.h"

namespace letterbox {

class Log {
 public:
  enum class Level { error, warn, info };

  // Appends to the file at `path`, which is created if it does not exist. The error says why that
  // failed.
  static Result<std::unique_ptr<Log>, std::string> open(std::string program, std::string path,
                                                        Level level);

  // Writes to `fd`, such as STDERR_FILENO. The caller owns it, and keeps it open longer than the
  // log exists. `clock` must outlive the log too; by default it is the system's.
  Log(std::string program, int fd, Level level);
  Log(std::string program, int fd, Level level, const Clock& clock);

  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Each takes texts and integers and writes them one after the other:
  // `log.warn("redis is away, trying again in ", delay_ms, " ms")`.
  template <class... Parts>
  void error(const Parts&... parts) {
    say(Level::error, parts...);
  }
  template <class... Parts>
  void warn(const Parts&... parts) {
    say(Level::warn, parts...);
  }
  template <class... Parts>
  void info(const Parts&... parts) {
    say(Level::info, parts...);
  }

  bool enabled(Level level) const { return level <= level_; }

  // Opens the path again, after log rotation has moved the file away. If that fails, lines still go
  // into the old file. A log on a descriptor has no path: nothing to do.
  Result<void, std::string> reopen();

  // The line that is written, with its line feed. `time_ms` is UTC since 1970.
  static std::string line(uint64_t time_ms, std::string_view program, Level level,
                          std::string_view text);

 private:
  Log(std::string program, std::string path, int fd, Level level, const Clock& clock);

  template <class... Parts>
  void say(Level level, const Parts&... parts) {
    if (!enabled(level)) return;
    std::string text;
    (append(text, parts), ...);
    write(level, text);
  }

  static void append(std::string& out, std::string_view part) { out += part; }

  template <std::integral Integer>
  requires(!std::same_as<Integer, char> &&
           !std::same_as<Integer, bool>) static void append(std::string& out, Integer number) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }

  void write(Level level, std::string_view text);
  void write_line(Level level, std::string_view text, uint64_t now_ms) const;
  void write_counts(const std::vector<Repeats::Count>& counts, uint64_t now_ms) const;

  const Clock& clock_;
  const std::string program_;
  const std::string path_;  // empty: the descriptor is borrowed
  const int fd_;            // the number never changes; reopen() puts another file behind it
  const Level level_;

  Mutex mutex_;
  Repeats errors_ GUARDED_BY(mutex_);
};

}  // namespace letterbox
