// SPDX-License-Identifier: MIT
//
// The names of all keys, made in this one file. What each holds: KEYS.md. The user's name is the
// hash tag, so that the keys of one mailbox share a slot.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace letterbox {

inline constexpr std::string_view kMailboxPrefix = "mailbox:{";

inline std::string mailbox_key(std::string_view user) {
  std::string key(kMailboxPrefix);
  key += user;
  key += '}';
  return key;
}

// Whose mailbox a key is; empty for any other key.
inline std::string_view mailbox_user(std::string_view key) {
  if (!key.starts_with(kMailboxPrefix) || !key.ends_with('}')) return {};
  key.remove_prefix(kMailboxPrefix.size());
  key.remove_suffix(1);
  return key;
}

// Where a program that watches mailboxes is rung, and how `base` names it. `program` is its own
// name, without blanks.
inline std::string address_key(std::string_view program) {
  return "letterbox:address:" + std::string(program);
}
inline std::string watcher_of(std::string_view program) { return "@" + std::string(program); }

inline std::string clients_key(std::string_view user) {
  return "clients:{" + std::string(user) + "}";
}

inline std::string group_key(std::string_view group) {
  return "group:{" + std::string(group) + "}";
}

// Who is online, which no mailbox holds.
inline constexpr std::string_view kOnlineKey = "letterbox:online";
inline constexpr std::string_view kNamesKey = "letterbox:names";
inline constexpr std::string_view kEventsKey = "letterbox:events";
inline constexpr std::string_view kSweeperKey = "letterbox:sweeper";
inline constexpr std::string_view kPresencePrefix = "presence:{";

inline std::string presence_key(std::string_view user) {
  return std::string(kPresencePrefix) + std::string(user) + "}";
}

// No mailbox: what /readyz of a program writes.
inline std::string ready_key(std::string_view program) {
  return "letterbox:ready:" + std::string(program);
}

// No mailbox: since when, and which Redis it is that hands out ids. As reign.lua takes them.
inline constexpr std::string_view kReignKey = "letterbox:reign";
inline constexpr std::array<std::string_view, 2> kReignKeys{kReignKey, "letterbox:reign:of"};

inline std::string tokens_key(std::string_view user) {
  return "tokens:{" + std::string(user) + "}";
}

inline std::string standing_key(std::string_view user) {
  return "standing:{" + std::string(user) + "}";
}

// For all users: the programs hear by it whom to look at again.
inline constexpr std::string_view kNoticesKey = "letterbox:notices";
inline constexpr std::string_view kNoticeCountKey = "letterbox:notice-count";

// In the order in which the scripts take them.
struct MailboxKeys {
  explicit MailboxKeys(std::string_view user)
      : base("base:{" + std::string(user) + "}"),
        unacked("unacked:{" + std::string(user) + "}"),
        mailbox(mailbox_key(user)),
        clients(clients_key(user)) {}

  std::array<std::string_view, 4> views() const { return {base, unacked, mailbox, clients}; }

  // For those that must know of the reign.
  std::array<std::string_view, 5> with_reign() const {
    return {base, unacked, mailbox, clients, kReignKey};
  }

  std::string base;
  std::string unacked;
  std::string mailbox;
  std::string clients;
};

}  // namespace letterbox
