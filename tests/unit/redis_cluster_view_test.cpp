// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "redis/cluster_view.h"

namespace letterbox {
namespace {

using Ranges = std::vector<std::pair<uint16_t, uint16_t>>;

// As Redis 6.2 answers: three masters, and a replica that is also asked.
constexpr std::string_view kRedis62 =
    "07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:30004@31004 slave "
    "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 0 1426238317239 4 connected\n"
    "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 127.0.0.1:30002@31002 master - 0 1426238316232 2 "
    "connected 5461-10922\n"
    "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f 127.0.0.1:30003@31003 master - 0 1426238318243 3 "
    "connected 10923-16383\n"
    "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 127.0.0.1:30001@31001 myself,master - 0 0 1 "
    "connected 0-5459 5460\n";

// As Redis 7.0 answers if nodes announce a host's name.
constexpr std::string_view kRedis70 =
    "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 10.0.0.1:6379@16379,one.example.com myself,master - "
    "0 0 12 connected 0-8191\n"
    "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f 10.0.0.2:6379@16379,two.example.com,shard-id=69bc08 "
    "master - 0 1655297280000 13 connected 8192-16383\n"
    "07c37dfeb235213a872192d90877d0cd55635b91 10.0.0.3:6379@16379, slave "
    "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f 0 1655297281046 13 disconnected\n";

ClusterView::Node only(std::string_view line, const std::string& host = "asked") {
  const auto view = ClusterView::parse(line, host);
  REQUIRE(view.nodes.size() == 1);
  return view.nodes[0];
}

// --- a view --------------------------------------------------------------------------------------

TEST_CASE("a view has each node's address, epoch and slots") {
  const auto view = ClusterView::parse(kRedis62, "asked");
  REQUIRE(view.nodes.size() == 4);
  CHECK(view.nodes[0].address.text() == "127.0.0.1:30004");
  CHECK(view.nodes[0].slots.empty());
  CHECK(view.nodes[0].replica_of == view.nodes[3].id);
  CHECK(view.nodes[3].id == "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca");
  CHECK(view.nodes[3].replica_of.empty());
  CHECK(view.nodes[1].epoch == 2);
  CHECK(view.nodes[1].slots == Ranges{{5461, 10922}});
  CHECK(view.nodes[3].address.port == 30001);
  CHECK(view.nodes[3].slots == Ranges{{0, 5459}, {5460, 5460}});
}

TEST_CASE("hosts' names and other additions to an address are left out") {
  const auto view = ClusterView::parse(kRedis70, "asked");
  REQUIRE(view.nodes.size() == 3);
  CHECK(view.nodes[0].address.text() == "10.0.0.1:6379");
  CHECK(view.nodes[1].address.text() == "10.0.0.2:6379");
  CHECK(view.nodes[1].epoch == 13);
  CHECK(view.nodes[2].address.text() == "10.0.0.3:6379");
}

TEST_CASE("a node without a host is where it was asked") {
  CHECK(only("id :7000@17000 myself,master - 0 0 1 connected 0-16383").address.text() ==
        "asked:7000");
  CHECK(ClusterView::parse("id :7000@17000 myself,master - 0 0 1 connected", "").nodes.empty());
}

TEST_CASE("an address of IPv6 ends at the last colon") {
  CHECK(only("id ::1:7000@17000 master - 0 0 1 connected 5").address.text() == "[::1]:7000");
  CHECK(only("id 2001:db8::7:7000@17000 master - 0 0 1 connected 5").address.host == "2001:db8::7");
}

TEST_CASE("an address may lack the bus port") {
  CHECK(only("id 10.0.0.1:7000 master - 0 0 1 connected 5").address.text() == "10.0.0.1:7000");
}

TEST_CASE("a slot that is being moved is where it was") {
  const auto from = only("id 10.0.0.1:1@2 master - 0 0 1 connected 0-99 [93->-292f8b365bb7]");
  CHECK(from.slots == Ranges{{0, 99}});
  const auto to = only("id 10.0.0.1:1@2 master - 0 0 1 connected 0-9 [93-<-292f8b365bb7] 200");
  CHECK(to.slots == Ranges{{0, 9}, {200, 200}});
  CHECK_FALSE(to.owns(93));
}

TEST_CASE("a node has the slots of its ranges, both ends included") {
  const auto node = only("id 10.0.0.1:1@2 master - 0 0 1 connected 10-20 16383");
  for (const uint16_t slot : {10, 15, 20, 16383}) CHECK(node.owns(slot));
  for (const uint16_t slot : {0, 9, 21, 16382}) CHECK_FALSE(node.owns(slot));
}

TEST_CASE("nodes that are not known yet, or without an address, are left out") {
  for (const std::string flags : {"handshake", "noaddr", "master,noaddr", "master,fail,noaddr"}) {
    CAPTURE(flags);
    const std::string line = "id 10.0.0.1:1@2 " + flags + " - 0 0 1 connected 5";
    CHECK(ClusterView::parse(line, "asked").nodes.empty());
  }
  CHECK(ClusterView::parse("id :0@0 master,noaddr - 0 0 1 disconnected 5", "asked").nodes.empty());
}

TEST_CASE("a node that has failed is listed with its slots until another has them") {
  for (const std::string flags : {"master,fail", "master,fail?", "master,nofailover"}) {
    const auto node = only("id 10.0.0.1:1@2 " + flags + " - 0 0 1 disconnected 5");
    CHECK(node.owns(5));
    CHECK(node.failing == (flags == "master,fail"));
  }
}

TEST_CASE("what can't be read is left out, and the rest is not") {
  const std::string good = "id 10.0.0.1:1@2 master - 0 0 7 connected 5\n";
  for (const std::string bad :
       {"", "\n\n", "x", "id", "id 10.0.0.1", "id 10.0.0.1:0@1 master - 0 0 1 connected 5",
        "id 10.0.0.1:65536@1 master - 0 0 1 connected 5",
        "id 10.0.0.1:x@1 master - 0 0 1 connected", "id 10.0.0.1:1@2 master - 0 0 x connected 5",
        "id 10.0.0.1:1@2 master - 0 0", "id 10.0.0.1:1@2 master - 0 0 -1 connected 5", "          ",
        "@@@ ::: ,,, - - - - - -"}) {
    CAPTURE(bad);
    CHECK(only(bad + "\n" + good + bad).epoch == 7);
  }
}

TEST_CASE("slots that can't be are left out") {
  const auto node = only(
      "id 10.0.0.1:1@2 master - 0 0 1 connected 16384 9-8 x 1-x -5 0-16384 7 99999999999999999");
  CHECK(node.slots == Ranges{{7, 7}});
}

// --- several views -------------------------------------------------------------------------------

ClusterView view_of(const std::vector<std::string>& nodes) {
  std::string text;
  for (const auto& node : nodes) text += "id " + node + "\n";
  return ClusterView::parse(text, "asked");
}
const std::string kOld = "10.0.0.1:1@2 master - 0 0 3 connected 0-99";
const std::string kNew = "10.0.0.2:1@2 master - 0 0 4 connected 0-99";
const std::string kReplica = "10.0.0.3:1@2 slave x 0 0 9 connected";

TEST_CASE("of different words that with the highest epoch holds, in any order") {
  for (const auto& views : {std::vector{view_of({kOld, kReplica}), view_of({kNew, kReplica})},
                            std::vector{view_of({kNew}), view_of({kOld}), view_of({kOld})}}) {
    const auto* owner = owner_of(50, views);
    REQUIRE(owner != nullptr);
    CHECK(owner->address.host == "10.0.0.2");
  }
}

TEST_CASE("a slot that no view has is nobody's") {
  CHECK(owner_of(100, {view_of({kOld}), view_of({kNew})}) == nullptr);
  CHECK(owner_of(0, {}) == nullptr);
  CHECK(owner_of(0, {view_of({})}) == nullptr);
}

TEST_CASE("of several nodes with the same epoch the present one holds") {
  const std::vector views{view_of({"10.0.0.1:1@2 master - 0 0 3 connected 5"}),
                          view_of({"10.0.0.2:1@2 master - 0 0 3 connected 5"}),
                          view_of({"10.0.0.3:1@2 master - 0 0 3 connected 6"}),
                          view_of({"10.0.0.4:1@2 master - 0 0 2 connected 5"})};
  for (const auto& [present, owner] :
       {std::pair("10.0.0.1:1", "10.0.0.1"), std::pair("10.0.0.2:1", "10.0.0.2"),
        std::pair("10.0.0.3:1", "10.0.0.1"), std::pair("10.0.0.4:1", "10.0.0.1")}) {
    const RedisAddress address = *RedisAddress::parse(present);
    CHECK(owner_of(5, views, &address)->address.host == owner);
  }
  CHECK(owner_of(5, views)->address.host == "10.0.0.1");
}

// --- an address ----------------------------------------------------------------------------------

TEST_CASE("an address is read as nodes write it") {
  const auto parse = [](std::string_view text) {
    const auto address = ClusterView::parse_address(text, "asked");
    return address ? address->text() : "none";
  };
  CHECK(parse("127.0.0.1:6381") == "127.0.0.1:6381");
  CHECK(parse("one.example.com:6381") == "one.example.com:6381");
  CHECK(parse("2001:db8::7:6381") == "[2001:db8::7]:6381");
  CHECK(parse(":6381") == "asked:6381");
  for (const auto* bad : {"", ":", "host", "host:", "host:0", "host:65536", "host:1x"}) {
    CHECK(parse(bad) == "none");
  }
}

}  // namespace
}  // namespace letterbox
