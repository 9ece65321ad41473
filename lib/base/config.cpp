// SPDX-License-Identifier: MIT
#include "base/config.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "base/fd.h"
#include "base/text.h"

namespace letterbox {
namespace {

bool is_switch(const Option& option) {
  return option.kind == Option::flag || option.kind == Option::action;
}

bool is_number(const Option& option) {
  return option.kind == Option::integer || option.kind == Option::seconds;
}

bool is_path(const Option& option) {
  return option.kind == Option::path || option.kind == Option::secret_file ||
         option.kind == Option::key_file;
}

std::string dashed(std::string_view name) { return "--" + std::string(name); }

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string range_of(const Option& option) {
  return decimal(option.min) + " to " + decimal(option.max);
}

template <class Number>
std::optional<Number> whole(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, number);
  if (failed != std::errc() || stopped != end) return std::nullopt;
  return number;
}

std::optional<double> parse_decimal(std::string_view text) {
  // from_chars alone would take a sign, an exponent, "inf" and "nan" as well.
  if (text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  return whole<double>(text);
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "1" || text == "yes" || text == "true") return true;
  if (text == "0" || text == "no" || text == "false" || text.empty()) return false;
  return std::nullopt;
}

// The value that the command line gives to each option, by the option's place in the table.
class CommandLine {
 public:
  explicit CommandLine(std::span<const Option> table) : table_(table), values_(table.size()) {
    names_.reserve(table.size());
    for (const Option& option : table) names_.emplace_back(option.name);
    for (size_t i = 0; i < table.size(); ++i) {
      const int argument = is_switch(table[i]) ? no_argument : required_argument;
      options_.push_back({names_[i].c_str(), argument, nullptr, kFirst + static_cast<int>(i)});
    }
    options_.push_back({nullptr, 0, nullptr, 0});
  }

  Result<void, std::string> read(int argc, char** argv) {
    optind = 0;  // glibc: forgets what was parsed before
    opterr = 0;
    while (true) {
      const int at = std::max(optind, 1);
      // '+': the first operand ends the options, so that argv[at] is the word that is read now.
      const int found = getopt_long(argc, argv, "+:", options_.data(), nullptr);
      if (found == -1) break;
      if (auto done = take(found, argv[at]); !done) return done;
    }
    if (optind < argc) return "unexpected operand " + in_quotes(argv[optind]);
    return {};
  }

  const std::optional<std::string>& value(size_t i) const { return values_[i]; }

 private:
  static constexpr int kFirst = 256;  // above any character, which getopt_long may return too

  Result<void, std::string> take(int found, std::string_view word) {
    const std::string_view given = word.substr(0, word.find('='));
    const int code = found == ':' || found == '?' ? optopt : found;
    const auto i = static_cast<size_t>(code - kFirst);
    if (code < kFirst || given != dashed(names_[i])) {
      return "unknown option " + in_quotes(given) + ", see --help";
    }
    if (found == ':') return dashed(names_[i]) + " needs a value";
    if (found == '?') return dashed(names_[i]) + " takes no value";
    values_[i] = is_switch(table_[i]) ? "1" : optarg;
    return {};
  }

  const std::span<const Option> table_;
  std::vector<std::string> names_;  // each ends in NUL, for getopt_long
  std::vector<::option> options_;
  std::vector<std::optional<std::string>> values_;
};

struct Given {
  std::string origin;  // the name that the user knows it by
  std::optional<std::string> value;
};

bool is_secret(const Option& option) {
  return option.kind == Option::secret_file || option.kind == Option::key_file;
}

// The file of a secret that the supervisor has put into a folder for this process alone, as
// systemd does by LoadCredential=letterbox:FOLDER with each file of FOLDER.
Given from_credentials(const Option& option, const std::function<const char*(const char*)>& env) {
  const char* folder = is_secret(option) ? env("CREDENTIALS_DIRECTORY") : nullptr;
  const std::string name = credential_name(option.name);
  if (folder != nullptr && *folder != '\0') {
    std::string path = std::string(folder) + "/" + name;
    // One that is there and can't be reached must not be taken for none: a key would be missing.
    const bool is_there = access(path.c_str(), F_OK) == 0 || errno != ENOENT;
    if (is_there) return {"the credential " + name, std::move(path)};
  }
  return {"the default of " + dashed(option.name), {}};
}

Given from_environment(const Option& option, const std::function<const char*(const char*)>& env) {
  std::string name = environment_name(option.name);
  const char* value = option.kind == Option::action ? nullptr : env(name.c_str());
  if (value == nullptr || *value == '\0') return from_credentials(option, env);
  return {std::move(name), value};
}

// A file's contents. Reading stops as soon as they are `enough`.
Result<std::string, int> read_until(const std::string& path,
                                    const std::function<bool(const std::string&)>& enough) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return errno;
  std::string text;
  char piece[512];
  while (!enough(text)) {
    const ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    text.append(piece, static_cast<size_t>(got));
  }
  return text;
}

// The whole of a file, of at most kMost bytes: no key is longer.
Result<std::string, int> read_key(const std::string& path) {
  constexpr size_t kMost = 65'536;
  auto read = read_until(path, [](const std::string& text) { return text.size() > kMost; });
  if (read && read->size() > kMost) return EFBIG;
  return read;
}

// A file's first line, without the line end.
Result<std::string, int> first_line(const std::string& path) {
  auto read = read_until(
      path, [](const std::string& text) { return text.find('\n') != std::string::npos; });
  if (!read) return read;
  std::string text = *std::move(read);
  text.resize(std::min(text.size(), text.find('\n')));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string synopsis(const Option& option) {
  std::string text = dashed(option.name);
  if (!is_switch(option)) text += ' ' + std::string(option.placeholder);
  return text;
}

std::string particulars(const Option& option) {
  if (option.kind == Option::action) return "";
  std::string text = environment_name(option.name);
  if (is_switch(option)) text += "=1";
  if (!option.fallback.empty()) text += ", default " + std::string(option.fallback);
  if (is_number(option)) text += ", from " + range_of(option);
  if (is_secret(option)) text += ", or the credential " + credential_name(option.name);
  if (!option.with.empty()) text += "; with " + dashed(option.with);
  return text;
}

}  // namespace

Result<Config, std::string> Config::parse(std::span<const Option> table, int argc, char** argv,
                                          const std::function<const char*(const char*)>& env) {
  CommandLine line(table);
  if (auto done = line.read(argc, argv); !done) return std::move(done).error();
  std::vector<Setting> settings;
  settings.reserve(table.size());
  const auto given_to = [&](size_t i) {
    return line.value(i) ? Given{dashed(table[i].name), *line.value(i)}
                         : from_environment(table[i], env);
  };
  const auto is_given = [&](std::string_view name) {
    const auto at = std::find_if(table.begin(), table.end(),
                                 [name](const Option& option) { return option.name == name; });
    return !given_to(static_cast<size_t>(at - table.begin())).value.value_or("").empty();
  };
  for (size_t i = 0; i < table.size(); ++i) {
    const Option& option = table[i];
    Given given = given_to(i);
    if (given.value && !option.with.empty() && !is_given(option.with)) {
      if (line.value(i)) return given.origin + " goes with " + dashed(option.with);
      given.value.reset();
    }
    auto setting = read(option, given.value.value_or(std::string(option.fallback)), given.origin);
    if (!setting) return std::move(setting).error();
    if (given.value == "" && is_path(option)) return given.origin + " must not be empty";
    settings.push_back(*std::move(setting));
  }
  return Config(std::move(settings));
}

Result<Config::Setting, std::string> Config::read(const Option& option, std::string value,
                                                  std::string_view origin) {
  Setting setting{.option = &option, .text = std::move(value), .secret = {}};
  const auto must_be = [&](const std::string& what) {
    return std::string(origin) + " must be " + what + ", got " + in_quotes(setting.text);
  };
  if (is_switch(option)) {
    const auto on = parse_switch(setting.text);
    if (!on) return must_be("1 or 0");
    setting.integer = *on;
  } else if (option.kind == Option::integer) {
    const auto number = whole<int64_t>(setting.text);
    if (!number || static_cast<double>(*number) < option.min ||
        static_cast<double>(*number) > option.max) {
      return must_be("a whole number from " + range_of(option));
    }
    setting.integer = *number;
  } else if (option.kind == Option::seconds) {
    const auto number = parse_decimal(setting.text);
    if (!number || *number < option.min || *number > option.max) {
      return must_be("a number of seconds from " + range_of(option));
    }
    setting.number = *number;
  } else if (option.kind == Option::secret_file && !setting.text.empty()) {
    auto line = first_line(setting.text);
    const std::string whose = std::string(origin) + ": ";
    if (!line) return whose + "cannot read " + setting.text + ": " + std::strerror(line.error());
    if (line->empty()) return whose + "the first line of " + setting.text + " is empty";
    setting.secret = *std::move(line);
  } else if (option.kind == Option::key_file && !setting.text.empty()) {
    auto key = read_key(setting.text);
    if (!key) {
      return std::string(origin) + ": cannot read " + setting.text + ": " +
             std::strerror(key.error());
    }
    setting.secret = *std::move(key);
  }
  return setting;
}

const Config::Setting& Config::at(std::string_view name,
                                  std::initializer_list<Option::Kind> kinds) const {
  for (const Setting& setting : settings_) {
    if (setting.option->name != name) continue;
    if (std::find(kinds.begin(), kinds.end(), setting.option->kind) == kinds.end()) break;
    return setting;
  }
  throw std::logic_error("no option of this kind: " + dashed(name));
}

std::string_view Config::text(std::string_view name) const {
  return at(name, {Option::text, Option::path, Option::secret_file, Option::key_file}).text;
}

int64_t Config::integer(std::string_view name) const { return at(name, {Option::integer}).integer; }

double Config::seconds(std::string_view name) const { return at(name, {Option::seconds}).number; }

bool Config::flag(std::string_view name) const {
  return at(name, {Option::flag, Option::action}).integer != 0;
}

std::string_view Config::secret(std::string_view name) const {
  return at(name, {Option::secret_file, Option::key_file}).secret;
}

std::vector<std::string_view> Config::secrets() const {
  std::vector<std::string_view> names;
  for (const Setting& setting : settings_) {
    if (is_secret(*setting.option) && !setting.text.empty()) names.push_back(setting.option->name);
  }
  return names;
}

std::string environment_name(std::string_view option_name) {
  std::string name = "LETTERBOX_";
  for (const char c : option_name) {
    const bool small = c >= 'a' && c <= 'z';
    name += c == '-' ? '_' : small ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

std::string credential_name(std::string_view option_name) {
  return "letterbox_" + std::string(option_name);
}

std::string help(std::string_view program, std::string_view sentence, std::span<const Option> table,
                 std::string_view examples) {
  size_t width = 0;
  for (const Option& option : table) width = std::max(width, synopsis(option).size());
  std::string text = "Usage: " + std::string(program) + " [OPTION]...\n";
  text += std::string(sentence) + "\n\n";
  text += "Options, each with its variable in the environment; the command line wins:\n";
  for (const Option& option : table) {
    const std::string left = synopsis(option);
    text += "  " + left + std::string(width - left.size() + 2, ' ');
    text += std::string(option.sentence) + '\n';
    const std::string more = particulars(option);
    if (!more.empty()) text += std::string(width + 6, ' ') + more + '\n';
  }
  if (!examples.empty()) text += '\n' + std::string(examples);
  return text;
}

}  // namespace letterbox
