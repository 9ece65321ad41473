// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "mailbox/keys.h"
#include "redis/slot.h"

namespace letterbox {
namespace {

TEST_CASE("the keys of a mailbox have the user's name as hash tag") {
  const MailboxKeys keys("alice");
  CHECK(keys.base == "base:{alice}");
  CHECK(keys.unacked == "unacked:{alice}");
  CHECK(keys.mailbox == "mailbox:{alice}");
  CHECK(keys.clients == "clients:{alice}");
  CHECK(keys.views() ==
        std::array<std::string_view, 4>{keys.base, keys.unacked, keys.mailbox, keys.clients});
  CHECK(keys.with_reign() == std::array<std::string_view, 5>{keys.base, keys.unacked, keys.mailbox,
                                                             keys.clients, "letterbox:reign"});
  CHECK(mailbox_key("alice") == keys.mailbox);
}

TEST_CASE("a group's key is no mailbox") {
  CHECK(group_key("team", 0) == "group:{team}");
  CHECK(mailbox_user(group_key("team", 0)).empty());
  CHECK(groups_key("alice") == "groups:{alice}");
}

TEST_CASE("a group's key says whose members it holds, and no other key does") {
  CHECK(group_of(group_key("team", 0)) == "team");
  CHECK(group_of(group_key("", 0)).empty());
  for (const auto key : {"group:team", "group:{team", "groups:{alice}", "xgroup:{team}", ""}) {
    CAPTURE(key);
    CHECK(group_of(key).empty());
  }
}

TEST_CASE(
    "the keys of tokens, locks and kicks have the user's name as hash tag, and are no mailboxes") {
  CHECK(tokens_key("alice") == "tokens:{alice}");
  CHECK(standing_key("alice") == "standing:{alice}");
  for (const std::string& key : {tokens_key("alice"), standing_key("alice"), shared_keys(0).notices,
                                 shared_keys(0).notice_count}) {
    CHECK(mailbox_user(key).empty());
  }
}

TEST_CASE("a list's key says whose mailbox it is") {
  for (const std::string user : {"alice", "a", "Bob.Smith+1@example.com:80"}) {
    CHECK(mailbox_user(mailbox_key(user)) == user);
  }
}

TEST_CASE("a presence key is no mailbox") {
  CHECK(presence_key("alice") == "presence:{alice}");
  CHECK(mailbox_user(presence_key("alice")).empty());
}

TEST_CASE("a prefix of all keys has at most 64 characters, all of them a name's") {
  CHECK(valid_key_prefix(""));
  CHECK(valid_key_prefix("site-1:"));
  CHECK(valid_key_prefix(std::string(64, 'a')));
  CHECK_FALSE(valid_key_prefix(std::string(65, 'a')));
  for (const char* prefix : {"a b", "{", "a}", "*", "a/b", "\xc3\xa4", "a\n"}) {
    CAPTURE(prefix);
    CHECK_FALSE(valid_key_prefix(prefix));
  }
}

TEST_CASE("any other key belongs to no user") {
  for (const auto key : {"", "mailbox", "mailbox:", "mailbox:{alice", "mailbox:alice}",
                         "base:{alice}", "xmailbox:{alice}", "{alice}"}) {
    CAPTURE(key);
    CHECK(mailbox_user(key).empty());
  }
  CHECK(mailbox_user("mailbox:{}").empty());
}

const KeyNames kCluster("site:", kClusterParts);

TEST_CASE("in a cluster the hash tag of a key is the number of its part") {
  CHECK(kCluster.own("mailbox", 17, "alice") == "site:mailbox:{17}alice");
  CHECK(kCluster.own("group", 0, "team") == "site:group:{0}team");
  CHECK(kCluster.own("group", 127, "*") == "site:group:{127}*");
  CHECK(kCluster.shared("online", 17) == "site:letterbox:online:{17}");
  CHECK(kCluster.shared("reign:of", 17) == "site:letterbox:reign:of:{17}");
  CHECK(kCluster.shared("address", 17, "PROGRAM") == "site:letterbox:address:{17}PROGRAM");
}

TEST_CASE("with one Redis nothing says that there are parts") {
  const KeyNames names("site:");
  CHECK(names.parts() == 1);
  CHECK(names.part_of("alice") == 0);
  CHECK(names.own("mailbox", 0, "alice") == "site:mailbox:{alice}");
  CHECK(names.shared("online", 0) == "site:letterbox:online");
  CHECK(names.shared("address", 0, "PROGRAM") == "site:letterbox:address:PROGRAM");
}

TEST_CASE("a name is in the part that its CRC says, and all keys of this part share a slot") {
  CHECK(kCluster.parts() == 128);
  for (const std::string name : {"alice", "bob", "17", "", "Bob.Smith+1@example.com:80"}) {
    CAPTURE(name);
    const size_t part = kCluster.part_of(name);
    CHECK(part == crc16(name) % 128);
    const SharedKeys shared(kCluster, part);
    const uint16_t slot = slot_of(kCluster.own("base", part, name));
    for (const std::string& key :
         {kCluster.own("mailbox", part, ""), kCluster.own("group", part, "team"), shared.online,
          shared.groups_found, shared.reign, shared.reign_of, shared.unheard,
          kCluster.shared("address", part, "PROGRAM"),
          kCluster.shared("idempotency", part, "0f")}) {
      CAPTURE(key);
      CHECK(slot_of(key) == slot);
    }
  }
}

TEST_CASE("the parts of a cluster are in slots of their own") {
  std::set<uint16_t> slots;
  for (size_t part = 0; part < kClusterParts; ++part) {
    slots.insert(slot_of(kCluster.shared("reign", part)));
  }
  CHECK(slots.size() == kClusterParts);
}

TEST_CASE("in a cluster a key says whose it is, and in the other form it does not") {
  const KeyNames one("site:");
  for (const std::string name : {"alice", "17", "a:b"}) {
    CAPTURE(name);
    const std::string key = kCluster.own("mailbox", kCluster.part_of(name), name);
    CHECK(kCluster.name_in(key, "mailbox") == name);
    CHECK(kCluster.name_in(key, "base").empty());
    CHECK(one.name_in(key, "mailbox").empty());
    CHECK(one.name_in(one.own("mailbox", 0, name), "mailbox") == name);
    CHECK(kCluster.name_in(one.own("mailbox", 0, name), "mailbox").empty());
  }
  for (const auto key :
       {"site:mailbox:{128}alice", "site:mailbox:{}alice", "site:mailbox:{17alice",
        "site:mailbox:{1x}alice", "mailbox:{17}alice", "site:mailbox:17}alice", "site:mailbox:{"}) {
    CAPTURE(key);
    CHECK(kCluster.name_in(key, "mailbox").empty());
  }
}

}  // namespace
}  // namespace letterbox
