// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>

#include "fcgi/check.h"
#include "fcgi/redis_needs.h"

using namespace letterbox;

namespace {

using Level = Finding::Level;

// What a Redis says that is set up well.
constexpr std::string_view kWell =
    "# Server\r\nredis_version:7.0.15\r\n\r\n# Clients\r\nmaxclients:10000\r\n"
    "used_memory:1048576\r\ntotal_system_memory:8589934592\r\nmaxmemory:1073741824\r\n"
    "maxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:ok\r\n"
    "rdb_last_bgsave_status:ok\r\nconnected_slaves:0\r\n";

// ... except one field.
RedisInfo info_with(std::string_view field, std::string_view value) {
  std::string text(kWell);
  const std::string name = '\n' + std::string(field) + ':';
  const size_t at = text.find(name) + name.size();
  text.replace(at, text.find('\r', at) - at, value);
  return RedisInfo(text);
}

bool is(const Findings& found, Level level, std::string_view words) {
  REQUIRE(found.size() == 1);
  CAPTURE(found.front().text);
  return found.front().level == level && found.front().text.find(words) != std::string::npos;
}

bool all_ok(const Findings& found) {
  return !found.empty() &&
         std::ranges::all_of(found, [](const Finding& one) { return one.level == Level::ok; });
}

}  // namespace

TEST_CASE("a Redis that is set up well gives no warning") {
  const RedisInfo info(kWell);
  CHECK(all_ok(findings_of_version(info)));
  CHECK(all_ok(findings_of_persistence(info)));
  CHECK(all_ok(findings_of_memory(info)));
  CHECK(all_ok(findings_of_connections(info, {.workers = 4, .lanes = 380})));
  const std::vector<std::string> refused(redis_needs().size());
  CHECK(all_ok(findings_of_rights(refused, {}, {})));
}

TEST_CASE("Redis 6.2 is new enough, 6.0 and 5 are not") {
  CHECK(is(findings_of_version(info_with("redis_version", "6.2.14")), Level::ok, "6.2.14"));
  CHECK(is(findings_of_version(info_with("redis_version", "10.0.1")), Level::ok, "10.0.1"));
  for (const auto* old : {"6.0.16", "5.0.14", "2.8", "", "unknown"}) {
    CHECK(is(findings_of_version(info_with("redis_version", old)), Level::error, "6.2 or later"));
  }
}

TEST_CASE("a Redis without an append-only file is a warning that says how to switch it on") {
  CHECK(is(findings_of_persistence(info_with("aof_enabled", "0")), Level::warning,
           "CONFIG SET appendonly yes"));
}

TEST_CASE("a Redis that can't write its files is an error") {
  CHECK(is(findings_of_persistence(info_with("aof_last_write_status", "err")), Level::error,
           "append-only file"));
  std::string text = "aof_enabled:0\r\nrdb_last_bgsave_status:err\r\n";
  const auto found = findings_of_persistence(RedisInfo(text));
  REQUIRE(found.size() == 2);
  CHECK(found[1].level == Level::error);
}

TEST_CASE("a Redis that evicts is an error, one without maxmemory a warning, whatever its policy") {
  CHECK(is(findings_of_memory(info_with("maxmemory_policy", "allkeys-lru")), Level::error,
           "allkeys-lru"));
  CHECK(is(findings_of_memory(info_with("maxmemory_policy", "volatile-ttl")), Level::error,
           "noeviction"));
  CHECK(is(findings_of_memory(info_with("maxmemory", "0")), Level::warning, "maxmemory 4096mb"));
}

TEST_CASE("a Redis that is full is an error, from four fifths on a warning") {
  const auto used = [](std::string_view bytes) {
    return findings_of_memory(info_with("used_memory", bytes));
  };
  CHECK(is(used("1073741824"), Level::error, "100 %"));
  CHECK(is(used("2147483648"), Level::error, "200 %"));
  CHECK(is(used("858993460"), Level::warning, "80 %"));
  CHECK(is(used("858993459"), Level::ok, "79 %"));
}

TEST_CASE("maxclients must suffice for lanes, workers and two, twice") {
  const Wants wants{.workers = 2, .lanes = 380};
  CHECK(is(findings_of_connections(info_with("maxclients", "767"), wants), Level::warning,
           "maxclients"));
  CHECK(is(findings_of_connections(info_with("maxclients", "768"), wants), Level::ok, "384"));
}

TEST_CASE("fewer replicas than --redis-replicas is an error") {
  const RedisInfo info(kWell);
  const auto found = findings_of_connections(info, {.replicas = 1});
  REQUIRE(found.size() == 2);
  CHECK(found[1].level == Level::error);
  CHECK(all_ok(findings_of_connections(info_with("connected_slaves", "1"), {.replicas = 1})));
}

TEST_CASE("a command that Redis refuses is named, with what is worse without it") {
  const auto needs = redis_needs();
  for (size_t i = 0; i < needs.size(); ++i) {
    std::vector<std::string> refused(needs.size());
    refused[i] = "NOPERM this user has no permissions to run it";
    CAPTURE(needs[i].sample);
    const bool vital = needs[i].without.empty();
    const bool of_cluster = acl_name(needs[i]).starts_with("cluster|");
    const auto found = findings_of_rights(refused, {}, {});
    if (of_cluster) {
      CHECK(all_ok(found));
      continue;
    }
    CHECK(is(found, vital ? Level::error : Level::warning, "call " + acl_name(needs[i])));
    CHECK(found.front().text.find("--acl") != std::string::npos);
  }
}

TEST_CASE("ROLE is vital with sentinels, WAIT with --redis-replicas, CLUSTER NODES in a cluster") {
  for (const auto& need : redis_needs()) {
    const std::string name = acl_name(need);
    if (name != "role" && name != "wait" && name != "cluster|nodes") continue;
    std::vector<std::string> refused(redis_needs().size());
    refused[static_cast<size_t>(&need - redis_needs().data())] = "NOPERM";
    CHECK(is(findings_of_rights(refused, {}, {.replicas = 1, .sentinels = true, .cluster = true}),
             Level::error, name));
  }
}

TEST_CASE("keys that Redis refuses are named by their pattern, and no command is blamed") {
  std::vector<std::string> refused(redis_needs().size(), "NOPERM No permissions to access a key");
  CHECK(is(findings_of_rights(refused, {"tokens:"}, {}), Level::error, "keys tokens:*"));
}

TEST_CASE("too few file descriptors for --max-parked is a warning that says how many are needed") {
  CHECK(
      is(findings_of_descriptors(
             {.parked = 100, .parked_possible = 40, .descriptors = 64, .descriptors_wanted = 600}),
         Level::warning, "LimitNOFILE=600"));
  CHECK(is(findings_of_descriptors({.parked = 100, .parked_possible = 100, .descriptors = 1000}),
           Level::ok, "1000"));
  CHECK(is(findings_of_descriptors({.descriptors = 1000}), Level::ok, "1000"));
}

TEST_CASE("--open is a warning") {
  CHECK(is(findings_of_settings({.open = true}), Level::warning, "--open"));
  CHECK(all_ok(findings_of_settings({})));
}

TEST_CASE("a finding is a line that begins with its level") {
  CHECK(line({Level::ok, "it works"}) == "ok: it works\n");
  CHECK(line({Level::warning, "it limps"}) == "warning: it limps\n");
  CHECK(line({Level::error, "it fails"}) == "error: it fails\n");
}

TEST_CASE("the access list names each command and key pattern once") {
  const std::string acl = acl_line("alice");
  CHECK(acl.starts_with("ACL SETUSER alice on >PASSWORD resetkeys ~mailbox:* "));
  for (const RedisNeed& need : redis_needs()) {
    const std::string right = " +" + acl_name(need);
    const size_t at = (acl + ' ').find(right + ' ');
    CAPTURE(right);
    REQUIRE(at != std::string::npos);
    CHECK((acl + ' ').find(right + ' ', at + 1) == std::string::npos);
  }
}

// --- a cluster ---------------------------------------------------------------------------------

namespace {

const RedisInfo kNode("cluster_enabled:1\r\n");

// Two masters, of which the first has a replica that the others can't reach.
ClusterTold told() {
  return {.info = "cluster_state:ok\r\ncluster_slots_ok:16384\r\ncluster_size:2\r\n",
          .nodes =
              "a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-8191\n"
              "b 10.0.0.2:6379@16379 master - 0 0 2 connected 8192-16383\n"
              "c 10.0.0.3:6379@16379 slave,fail a 0 0 1 connected\n"
              "d 10.0.0.4:6379@16379 slave b 0 0 2 connected\n"
              "e 10.0.0.5:6379@16379 slave a 0 0 1 connected\n",
          .full_coverage = "no"};
}

}  // namespace

TEST_CASE("a cluster that serves all slots, with a replica for each master, gives no warning") {
  CHECK(all_ok(findings_of_cluster(kNode, told(), {.replicas = 1, .cluster = true})));
  CHECK(findings_of_cluster(RedisInfo("cluster_enabled:0\r\n"), {}, {}).empty());
}

TEST_CASE("--check says if --redis names a cluster that is none, or one node alone") {
  CHECK(is(findings_of_cluster(kNode, {}, {}), Level::error, "--redis cluster:"));
  CHECK(is(findings_of_cluster(RedisInfo("cluster_enabled:0\r\n"), {}, {.cluster = true}),
           Level::error, "no node of a cluster"));
}

TEST_CASE(
    "slots that nobody serves are an error, and a cluster that refuses all for some a warning") {
  auto down = told();
  down.info = "cluster_state:fail\r\ncluster_slots_ok:8192\r\ncluster_size:1\r\n";
  down.full_coverage = "yes";
  const auto found = findings_of_cluster(kNode, down, {.cluster = true});
  REQUIRE(found.size() == 3);
  CHECK(found[0].level == Level::error);
  CHECK(found[0].text.find("8192 of 16384 slots") != std::string::npos);
  CHECK(found[1].level == Level::warning);
  CHECK(found[1].text.find("cluster-require-full-coverage no") != std::string::npos);
}

TEST_CASE(
    "a master with fewer replicas than --redis-replicas is an error, one without any a warning") {
  const auto two = findings_of_cluster(kNode, told(), {.replicas = 2, .cluster = true});
  REQUIRE(two.size() == 2);
  CHECK(two[1].level == Level::error);
  auto bare = told();
  bare.nodes.resize(bare.nodes.find("e 10."));
  const auto found = findings_of_cluster(kNode, bare, {.cluster = true});
  REQUIRE(found.size() == 2);
  CHECK(found[1].level == Level::warning);
  CHECK(found[1].text.find("10.0.0.1:6379 has 0 replicas") != std::string::npos);
}
