// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>

#include "base/config.h"

namespace letterbox {
namespace {

constexpr Option kTable[] = {
    {"redis", "ADDR", "unix:/run/redis.sock", 0, 0, Option::text, "Where Redis is"},
    {"redis-db", "N", "0", 0, 15, Option::integer, "Number of the database"},
    {"offset", "N", "-5", -10, 10, Option::integer, "May be negative"},
    {"poll-timeout", "SECONDS", "25", 0, 50, Option::seconds, "Longest wait"},
    {"log", "FILE", "", 0, 0, Option::path, "The log"},
    {"redis-password-file", "FILE", "", 0, 0, Option::secret_file, "Holds the password"},
    {"key", "FILE", "", 0, 0, Option::key_file, "Holds a key"},
    {"open", "", "", 0, 0, Option::flag, "Trust the query"},
    {"door-key", "FILE", "", 0, 0, Option::key_file, "Opens the door", "door"},
    {"doors", "N", "1", 1, 9, Option::integer, "Number of doors", "door"},
    {"door", "NAME", "", 0, 0, Option::text, "The door"},
    {"help", "", "", 0, 0, Option::action, "Print this"},
};

using Environment = std::map<std::string, std::string>;

Result<Config, std::string> parse(std::vector<std::string> words, const Environment& env = {}) {
  words.insert(words.begin(), "letterbox-test");
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return Config::parse(kTable, static_cast<int>(words.size()), argv.data(),
                       [&env](const char* name) -> const char* {
                         const auto found = env.find(name);
                         return found == env.end() ? nullptr : found->second.c_str();
                       });
}

std::string refusal(std::vector<std::string> words, const Environment& env = {}) {
  auto config = parse(std::move(words), env);
  return config ? "" : config.error();
}

// A file for one test; the destructor removes it.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view contents) {
    const int fd = mkstemp(path_);
    REQUIRE(fd >= 0);
    close(fd);
    std::ofstream(path_) << contents;
  }
  ~TemporaryFile() { unlink(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/letterbox-test-XXXXXX";
};

TEST_CASE("without arguments and environment every option has its default") {
  const auto config = parse({});
  REQUIRE(config);
  CHECK(config->text("redis") == "unix:/run/redis.sock");
  CHECK(config->integer("redis-db") == 0);
  CHECK(config->integer("offset") == -5);
  CHECK(config->seconds("poll-timeout") == 25);
  CHECK(config->text("log") == "");
  CHECK(config->text("redis-password-file") == "");
  CHECK(config->secret("redis-password-file") == "");
  CHECK_FALSE(config->flag("open"));
  CHECK_FALSE(config->flag("help"));
}

TEST_CASE("a value comes after a space or an equals sign, and the last one counts") {
  const auto config = parse({"--redis", "a:1", "--redis-db=7", "--poll-timeout", "0.25", "--open",
                             "--redis=b:2=c", "--offset", "-7"});
  REQUIRE(config);
  CHECK(config->text("redis") == "b:2=c");
  CHECK(config->integer("redis-db") == 7);
  CHECK(config->integer("offset") == -7);
  CHECK(config->seconds("poll-timeout") == 0.25);
  CHECK(config->flag("open"));
}

TEST_CASE("the environment gives what the command line doesn't, and the command line wins") {
  const Environment env = {{"LETTERBOX_REDIS", "a:1"},
                           {"LETTERBOX_REDIS_DB", "3"},
                           {"LETTERBOX_OPEN", "1"},
                           {"LETTERBOX_POLL_TIMEOUT", ""}};
  const auto config = parse({"--redis-db", "4"}, env);
  REQUIRE(config);
  CHECK(config->text("redis") == "a:1");
  CHECK(config->integer("redis-db") == 4);
  CHECK(config->flag("open"));
  CHECK(config->seconds("poll-timeout") == 25);  // set to nothing is not set
}

TEST_CASE("a bad value in the environment does no harm if the command line overrides it") {
  CHECK(parse({"--redis-db", "4"}, {{"LETTERBOX_REDIS_DB", "many"}}));
}

TEST_CASE("a flag in the environment is 1 or 0") {
  for (const auto on : {"1", "yes", "true"}) {
    CHECK(parse({}, {{"LETTERBOX_OPEN", on}})->flag("open"));
  }
  for (const auto off : {"0", "no", "false", ""}) {
    CHECK_FALSE(parse({}, {{"LETTERBOX_OPEN", off}})->flag("open"));
  }
  CHECK(refusal({}, {{"LETTERBOX_OPEN", "maybe"}}) == "LETTERBOX_OPEN must be 1 or 0, got 'maybe'");
}

TEST_CASE("the environment starts no action") {
  const auto config = parse({}, {{"LETTERBOX_HELP", "2.7"}});
  REQUIRE(config);
  CHECK_FALSE(config->flag("help"));
  CHECK(parse({"--help"})->flag("help"));
}

TEST_CASE("an option that goes with another one is refused if that one is not given") {
  CHECK(refusal({"--doors", "2"}) == "--doors goes with --door");
  CHECK(refusal({"--door=", "--doors", "2"}) == "--doors goes with --door");
  CHECK(refusal({"--doors", "2"}, {{"LETTERBOX_DOOR", ""}}) == "--doors goes with --door");
  CHECK(parse({"--doors", "2", "--door", "front"})->integer("doors") == 2);
  CHECK(parse({"--doors", "2"}, {{"LETTERBOX_DOOR", "front"}})->integer("doors") == 2);
}

TEST_CASE("in the environment such an option belongs to another program and is ignored") {
  const Environment others = {{"LETTERBOX_DOORS", "many"}, {"LETTERBOX_DOOR_KEY", "/nowhere"}};
  const auto config = parse({}, others);
  REQUIRE(config);
  CHECK(config->integer("doors") == 1);
  CHECK(config->text("door-key") == "");
  CHECK(refusal({"--door", "front"}, others) ==
        "LETTERBOX_DOOR_KEY: cannot read /nowhere: " + std::string("No such file or directory"));
}

TEST_CASE("an unknown option is refused, and named") {
  CHECK(refusal({"--colour"}) == "unknown option '--colour', see --help");
  CHECK(refusal({"--colour=red"}) == "unknown option '--colour', see --help");
  CHECK(refusal({"-v"}) == "unknown option '-v', see --help");
  CHECK(refusal({"-redis", "x"}) == "unknown option '-redis', see --help");
  CHECK(refusal({"--redi", "x"}) == "unknown option '--redi', see --help");
  CHECK(refusal({"--poll", "1"}) == "unknown option '--poll', see --help");  // abbreviated
  CHECK(refusal({"--he"}) == "unknown option '--he', see --help");
  CHECK(refusal({"--ope=1"}) == "unknown option '--ope', see --help");
  CHECK(refusal({"--open", "stray"}) == "unexpected operand 'stray'");
  CHECK(refusal({"stray", "--open"}) == "unexpected operand 'stray'");
  CHECK(refusal({"--", "--open"}) == "unexpected operand '--open'");
  CHECK(refusal({"-"}) == "unexpected operand '-'");
  CHECK(refusal({""}) == "unexpected operand ''");
}

TEST_CASE("a missing value and an unwanted value have errors of their own") {
  CHECK(refusal({"--redis"}) == "--redis needs a value");
  CHECK(refusal({"--open=1"}) == "--open takes no value");
  CHECK(refusal({"--log", ""}) == "--log must not be empty");
  CHECK(refusal({"--redis="}) == "");  // a text may be empty
}

TEST_CASE("a number out of its range, or no number, is refused with the range") {
  const std::string db = "--redis-db must be a whole number from 0 to 15, got '";
  for (const std::string bad :
       {"16", "-1", "abc", "", "1.5", "1e1", " 1", "1 ", "+1", "99999999999999999999999"}) {
    CHECK(refusal({"--redis-db", bad}) == db + bad + "'");
  }
  const std::string wait = "--poll-timeout must be a number of seconds from 0 to 50, got '";
  for (const std::string bad :
       {"50.01", "-1", "abc", "", ".", "1e1", "inf", "nan", "0x1", "1,5", "1.2.3", " 1"}) {
    CHECK(refusal({"--poll-timeout", bad}) == wait + bad + "'");
  }
  CHECK(refusal({}, {{"LETTERBOX_REDIS_DB", "16"}}) ==
        "LETTERBOX_REDIS_DB must be a whole number from 0 to 15, got '16'");
}

TEST_CASE("the ends of a range belong to it") {
  CHECK(parse({"--redis-db", "0"})->integer("redis-db") == 0);
  CHECK(parse({"--redis-db", "15"})->integer("redis-db") == 15);
  CHECK(parse({"--poll-timeout", "0"})->seconds("poll-timeout") == 0);
  CHECK(parse({"--poll-timeout", "50.0"})->seconds("poll-timeout") == 50);
}

TEST_CASE("a secret is the first line of its file") {
  for (const auto contents :
       {"s3cret \xC3\xA9", "s3cret \xC3\xA9\n", "s3cret \xC3\xA9\r\nmore\n"}) {
    const TemporaryFile file(contents);
    const auto config = parse({"--redis-password-file", file.path()});
    REQUIRE(config);
    CHECK(config->secret("redis-password-file") == "s3cret \xC3\xA9");
    CHECK(config->text("redis-password-file") == file.path());
  }
  const TemporaryFile large(std::string(100'000, 'x'));
  CHECK(parse({"--redis-password-file", large.path()})->secret("redis-password-file").size() ==
        100'000);
}

TEST_CASE("a key is all that its file holds, up to 64 KiB") {
  for (const size_t size : {0, 1, 512, 65'536}) {
    const TemporaryFile file(std::string(size, '\n'));
    CHECK(parse({"--key", file.path()})->secret("key") == std::string(size, '\n'));
    CHECK(parse({"--key", file.path()})->text("key") == file.path());
  }
  CHECK(parse({})->secret("key").empty());
  const TemporaryFile large(std::string(65'537, 'x'));
  CHECK(refusal({"--key", large.path()}) ==
        "--key: cannot read " + large.path() + ": File too large");
  CHECK(refusal({"--key", "/"}) == "--key: cannot read /: Is a directory");
  CHECK(refusal({"--key", ""}) == "--key must not be empty");
}

TEST_CASE("a secret that nothing names is the supervisor's credential") {
  char folder[] = "/tmp/letterbox-credentials-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/letterbox_";
  for (const char* name : {"key", "redis-password-file", "door-key", "log"}) {
    std::ofstream(path + name) << "of the supervisor\n";
  }
  const Environment supervised{{"CREDENTIALS_DIRECTORY", folder}};
  const auto config = parse({}, supervised);
  REQUIRE(config);
  CHECK(config->secret("key") == "of the supervisor\n");
  CHECK(config->text("key") == path + "key");
  CHECK(config->secret("redis-password-file") == "of the supervisor");
  CHECK(config->secret("door-key").empty());  // there is no --door
  CHECK(config->text("log").empty());         // no secret
  CHECK(parse({"--door", "x"}, supervised)->secret("door-key") == "of the supervisor\n");

  const TemporaryFile mine("mine");
  CHECK(parse({"--key", mine.path()}, supervised)->secret("key") == "mine");
  CHECK(parse({}, {{"CREDENTIALS_DIRECTORY", folder}, {"LETTERBOX_KEY", mine.path()}})
            ->secret("key") == "mine");
  CHECK(parse({}, {{"CREDENTIALS_DIRECTORY", "/nowhere"}})->secret("key").empty());
  CHECK(parse({}, {{"CREDENTIALS_DIRECTORY", ""}})->secret("key").empty());
  CHECK(refusal({}, {{"CREDENTIALS_DIRECTORY", path + "log"}}).ends_with(": Not a directory"));
  std::ofstream(path + "redis-password-file") << "\n";
  CHECK(refusal({}, supervised).starts_with("the credential letterbox_redis-password-file: "));
  for (const char* name : {"key", "redis-password-file", "door-key", "log"}) {
    unlink((path + name).c_str());
  }
  rmdir(folder);
}

TEST_CASE("a secret that can't be read stops the start") {
  CHECK(refusal({"--redis-password-file", "/nowhere/secret"}) ==
        "--redis-password-file: cannot read /nowhere/secret: No such file or directory");
  CHECK(refusal({}, {{"LETTERBOX_REDIS_PASSWORD_FILE", "/"}}) ==
        "LETTERBOX_REDIS_PASSWORD_FILE: cannot read /: Is a directory");
  const TemporaryFile file("\nsecond line");
  CHECK(refusal({"--redis-password-file", file.path()}) ==
        "--redis-password-file: the first line of " + file.path() + " is empty");
}

TEST_CASE("asking for an option that the table doesn't have, or as another kind, throws") {
  const auto config = parse({});
  REQUIRE(config);
  CHECK_THROWS_AS(static_cast<void>(config->text("colour")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(config->text("redis-db")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(config->integer("redis")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(config->seconds("redis-db")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(config->flag("redis")), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(config->secret("log")), std::logic_error);
}

TEST_CASE("help shows each option with its variable, default, range and sentence") {
  const std::string text = help("letterbox-test", "Tests letterbox.", kTable, "Example:\n  x\n");
  CHECK(text ==
        "Usage: letterbox-test [OPTION]...\n"
        "Tests letterbox.\n"
        "\n"
        "Options, each with its variable in the environment; the command line wins:\n"
        "  --redis ADDR                Where Redis is\n"
        "                                LETTERBOX_REDIS, default unix:/run/redis.sock\n"
        "  --redis-db N                Number of the database\n"
        "                                LETTERBOX_REDIS_DB, default 0, from 0 to 15\n"
        "  --offset N                  May be negative\n"
        "                                LETTERBOX_OFFSET, default -5, from -10 to 10\n"
        "  --poll-timeout SECONDS      Longest wait\n"
        "                                LETTERBOX_POLL_TIMEOUT, default 25, from 0 to 50\n"
        "  --log FILE                  The log\n"
        "                                LETTERBOX_LOG\n"
        "  --redis-password-file FILE  Holds the password\n"
        "                                LETTERBOX_REDIS_PASSWORD_FILE, or the credential "
        "letterbox_redis-password-file\n"
        "  --key FILE                  Holds a key\n"
        "                                LETTERBOX_KEY, or the credential letterbox_key\n"
        "  --open                      Trust the query\n"
        "                                LETTERBOX_OPEN=1\n"
        "  --door-key FILE             Opens the door\n"
        "                                LETTERBOX_DOOR_KEY, or the credential letterbox_door-key; "
        "with --door\n"
        "  --doors N                   Number of doors\n"
        "                                LETTERBOX_DOORS, default 1, from 1 to 9; with --door\n"
        "  --door NAME                 The door\n"
        "                                LETTERBOX_DOOR\n"
        "  --help                      Print this\n"
        "\n"
        "Example:\n  x\n");
}

TEST_CASE("help writes large and small limits as people do") {
  constexpr Option kLimits[] = {
      {"life", "SECONDS", "604800", 0.5, 31536000, Option::seconds, "Life of a mailbox"}};
  CHECK(help("x", "y", kLimits, "").find("default 604800, from 0.5 to 31536000") !=
        std::string::npos);
}

}  // namespace
}  // namespace letterbox
