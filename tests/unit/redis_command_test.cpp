// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

#include "redis/command.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

TEST_CASE("a command is an array of bulk strings, whatever bytes are in its words") {
  CHECK(command_text({"PING"}) == "*1\r\n$4\r\nPING\r\n");
  CHECK(command_text({"SET", "key", "\r\n\0\xff"sv}) ==
        "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\n\r\n\0\xff\r\n"sv);
  CHECK(command_text({"RPUSH", "", std::string(12'345, 'x')}) ==
        "*3\r\n$5\r\nRPUSH\r\n$0\r\n\r\n$12345\r\n" + std::string(12'345, 'x') + "\r\n");
}

constexpr Script kScript{.sha1 = "abc", .source = "return 1"};

TEST_CASE("a script is called by its hash, or by its source, with the same keys and arguments") {
  const std::array<std::string_view, 2> keys{"k1", "k2"};
  const std::array<std::string_view, 3> arguments{"a", "", "b\n"};
  const ScriptCall call(kScript, keys, arguments);
  const std::string rest = "$1\r\n2\r\n$2\r\nk1\r\n$2\r\nk2\r\n$1\r\na\r\n$0\r\n\r\n$2\r\nb\n\r\n";
  CHECK(call.text() == "*8\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n" + rest);
  CHECK(call.with_source() == "*8\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n" + rest);
}

TEST_CASE("a script without keys or arguments can be called") {
  const ScriptCall call(kScript, {}, {});
  CHECK(call.text() == "*3\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n0\r\n");
}

}  // namespace
}  // namespace letterbox::test
