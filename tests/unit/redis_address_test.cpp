// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "redis/address.h"

namespace letterbox {
namespace {

RedisAddress parsed(std::string_view text) {
  const auto address = RedisAddress::parse(text);
  REQUIRE(address);
  return *address;
}

TEST_CASE("a unix socket is a path, with or without unix: before it") {
  for (const auto text : {"unix:/run/redis.sock", "/run/redis.sock"}) {
    CHECK(parsed(text).path == "/run/redis.sock");
    CHECK(parsed(text).text() == "unix:/run/redis.sock");
  }
  CHECK(parsed("unix:redis.sock").path == "redis.sock");
}

TEST_CASE("a host may have a port; without one it is 6379") {
  CHECK(parsed("localhost").host == "localhost");
  CHECK(parsed("localhost").port == 6379);
  CHECK(parsed("localhost").path.empty());
  CHECK(parsed("10.1.2.3:6380").host == "10.1.2.3");
  CHECK(parsed("10.1.2.3:6380").port == 6380);
  CHECK(parsed("redis:1").port == 1);
  CHECK(parsed("redis:65535").text() == "redis:65535");
}

TEST_CASE("an IPv6 address is written in brackets") {
  CHECK(parsed("[::1]:6380").host == "::1");
  CHECK(parsed("[::1]:6380").port == 6380);
  CHECK(parsed("[::1]").port == 6379);
  CHECK(parsed("[::1]").text() == "[::1]:6379");
}

TEST_CASE("sentinels are a master's name and their hosts, whose port is 26379 if none is given") {
  const auto one = parsed("sentinel:mymaster@10.1.2.3");
  CHECK(one.master == "mymaster");
  REQUIRE(one.sentinels.size() == 1);
  CHECK(one.sentinels[0].host == "10.1.2.3");
  CHECK(one.sentinels[0].port == 26379);
  CHECK(one.host.empty());
  CHECK(one.path.empty());

  const auto three = parsed("sentinel:letters@a:1,[::1]:2,c");
  REQUIRE(three.sentinels.size() == 3);
  CHECK(three.sentinels[1].host == "::1");
  CHECK(three.sentinels[1].port == 2);
  CHECK(three.text() == "sentinel:letters@a:1,[::1]:2,c:26379");
  CHECK(parsed(three.text()) == three);
  CHECK(parsed("localhost").sentinels.empty());
}

TEST_CASE("the nodes of a cluster are hosts, whose port is 6379 if none is given") {
  const auto one = parsed("cluster:10.1.2.3");
  REQUIRE(one.nodes.size() == 1);
  CHECK(one.nodes[0].host == "10.1.2.3");
  CHECK(one.nodes[0].port == 6379);
  CHECK(one.host.empty());
  CHECK(one.path.empty());
  CHECK(one.master.empty());

  const auto three = parsed("cluster:a:1,[::1]:2,c");
  REQUIRE(three.nodes.size() == 3);
  CHECK(three.nodes[1].host == "::1");
  CHECK(three.nodes[1].port == 2);
  CHECK(three.sentinels.empty());
  CHECK(three.text() == "cluster:a:1,[::1]:2,c:6379");
  CHECK(parsed(three.text()) == three);
  CHECK(parsed("localhost").nodes.empty());
  CHECK(parsed("cluster").host == "cluster");
}

TEST_CASE("anything else is refused, and the error says what is wrong") {
  for (const std::string bad :
       {"", ":", ":6379", "host:", "host:0", "host:65536", "host:-1", "host:6379x", "host:+1",
        "host:99999999999999999999", "host: 1", "[]", "[]:1", "[::1", "[::1]x", "[::1]6379",
        "[::1]:", "::1", "unix:"}) {
    CAPTURE(bad);
    const auto address = RedisAddress::parse(bad);
    CHECK_FALSE(address);
    if (!address) CHECK(address.error().find(bad) != std::string::npos);
  }
}

TEST_CASE("sentinels without a name, or one of them without a host, are refused") {
  for (const std::string bad :
       {"sentinel:", "sentinel:@host", "sentinel:host:26379", "sentinel:name@",
        "sentinel:name@host:0", "sentinel:name@,host", "sentinel:name@host,",
        "sentinel:name@host,,host", "sentinel:name@host,host:x", "sentinel:name@unix:/run/x"}) {
    CAPTURE(bad);
    const auto address = RedisAddress::parse(bad);
    CHECK_FALSE(address);
    if (!address) CHECK(address.error().find(bad) != std::string::npos);
  }
}

TEST_CASE("nodes of a cluster that are no hosts are refused") {
  for (const std::string bad :
       {"cluster:", "cluster:,host", "cluster:host,", "cluster:host,,host", "cluster:host:0",
        "cluster:host,host:x", "cluster:unix:/run/x", "cluster:/run/x,", "cluster:[::1"}) {
    CAPTURE(bad);
    const auto address = RedisAddress::parse(bad);
    CHECK_FALSE(address);
    if (!address) CHECK(address.error().find(bad) != std::string::npos);
  }
}

TEST_CASE("a path is refused if it is too long for a unix socket") {
  const std::string longest = "/" + std::string(106, 'x');
  CHECK(parsed(longest).path == longest);
  CHECK_FALSE(RedisAddress::parse(longest + "x"));
  CHECK_FALSE(RedisAddress::parse("unix:" + longest + "x"));
}

}  // namespace
}  // namespace letterbox
