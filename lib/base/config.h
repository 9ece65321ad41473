// SPDX-License-Identifier: MIT
//
// A program's settings: from its command line, else from the environment (`--foo-bar` is
// LETTERBOX_FOO_BAR), else, for a secret, from the supervisor's credentials
// (`$CREDENTIALS_DIRECTORY/letterbox_foo-bar`), else from the defaults of one table, which --help
// prints too. `main()` makes a Config once; it is constant from then on, so any thread may read it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace letterbox {

// One row of a program's table of options. The table must outlive every Config made from it, so
// it is a constant.
struct Option {
  // flag: on or off. action: a flag that only the command line gives (--help), never the
  // environment, in which a LETTERBOX_VERSION may well mean something else. path, secret_file,
  // key_file: must not be empty if given. The files of the latter two are read, see Config::secret.
  enum Kind { flag, action, text, integer, seconds, path, secret_file, key_file };

  std::string_view name;         // without the dashes: "redis-db"
  std::string_view placeholder;  // what help calls its value: "N"
  std::string_view fallback;     // the default, as if it had been given; empty: none
  double min = 0;                // integer and seconds: the least and the most allowed
  double max = 0;
  Kind kind = text;
  std::string_view sentence;  // what it is for; no full stop
  // Another option, without which this one has no meaning. If the other is not given, this one is
  // refused on the command line and ignored in the environment. Empty: none.
  std::string_view with = {};
};

// An empty environment variable counts as not set.
//
// Accessors take a name of the table. They throw std::logic_error for any other name, or for an
// option of another kind: the program is wrong then, not its user.
class Config {
 public:
  // The error is one line for the user: an unknown option (abbreviations are unknown too, since
  // the next version may make them ambiguous), a missing value, an operand, a value out of range,
  // a secret that can't be read.
  // Uses getopt_long, whose state is global: for one thread at a time.
  static Result<Config, std::string> parse(std::span<const Option> table, int argc, char** argv,
                                           const std::function<const char*(const char*)>& env);

  // For text, path, secret_file and key_file (its path). Empty if the option is not given and has
  // no default.
  std::string_view text(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  double seconds(std::string_view name) const;
  // For flag and action.
  bool flag(std::string_view name) const;

  // The contents of the option's file. Of a secret_file: the first line, without the line end. Of a
  // key_file: all of it, unchanged. Empty if the option is not given. parse() reads the file, so a
  // file that can't be read stops the start.
  std::string_view secret(std::string_view name) const;

  // The secret_file and key_file options that are given, by name.
  std::vector<std::string_view> secrets() const;

 private:
  struct Setting {
    const Option* option;
    std::string text;
    std::string secret;
    double number = 0;
    int64_t integer = 0;
  };

  static Result<Setting, std::string> read(const Option& option, std::string value,
                                           std::string_view origin);

  explicit Config(std::vector<Setting> settings) : settings_(std::move(settings)) {}
  const Setting& at(std::string_view name, std::initializer_list<Option::Kind> kinds) const;

  std::vector<Setting> settings_;  // in the table's order
};

// "LETTERBOX_REDIS_DB" for "redis-db".
std::string environment_name(std::string_view option_name);

// "letterbox_key-file" for "key-file".
std::string credential_name(std::string_view option_name);

// What --help prints: usage, the sentence, each option with its sentence, environment name,
// default and range, then `examples` as they are.
std::string help(std::string_view program, std::string_view sentence, std::span<const Option> table,
                 std::string_view examples);

}  // namespace letterbox
