// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "mailbox/keys.h"

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

TEST_CASE("a group's key is nobody's mailbox") {
  CHECK(group_key("team") == "group:{team}");
  CHECK(mailbox_user(group_key("team")).empty());
}

TEST_CASE("the keys of who may come in have the user's name as hash tag, and are no mailboxes") {
  CHECK(tokens_key("alice") == "tokens:{alice}");
  CHECK(standing_key("alice") == "standing:{alice}");
  for (const std::string& key : {tokens_key("alice"), standing_key("alice"),
                                 std::string(kNoticesKey), std::string(kNoticeCountKey)}) {
    CHECK(mailbox_user(key).empty());
  }
}

TEST_CASE("a list's key says whose mailbox it is") {
  for (const std::string user : {"alice", "a", "Bob.Smith+1@example.com:80"}) {
    CHECK(mailbox_user(mailbox_key(user)) == user);
  }
}

TEST_CASE("what is known of a user's presence is no mailbox") {
  CHECK(presence_key("alice") == "presence:{alice}");
  CHECK(presence_key("alice").starts_with(kPresencePrefix));
  CHECK(mailbox_user(presence_key("alice")).empty());
}

TEST_CASE("any other key is nobody's") {
  for (const auto key : {"", "mailbox", "mailbox:", "mailbox:{alice", "mailbox:alice}",
                         "base:{alice}", "xmailbox:{alice}", "{alice}"}) {
    CAPTURE(key);
    CHECK(mailbox_user(key).empty());
  }
  CHECK(mailbox_user("mailbox:{}").empty());
}

}  // namespace
}  // namespace letterbox
