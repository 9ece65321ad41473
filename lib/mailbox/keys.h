// SPDX-License-Identifier: MIT
//
// The names of all keys are made in this file alone. KEYS.md says what each key holds. In one Redis
// the user's name is the hash tag; in a Redis Cluster it is the number of the part in which the
// user is. So what a script touches shares a slot. Any thread may call what stands here, except
// set_key_names().
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace letterbox {

// 0 to 64 characters of `A-Z a-z 0-9 . _ - @ : +`.
bool valid_key_prefix(std::string_view prefix);

// What is kept in a Redis Cluster is divided into this many parts, each in a slot of its own:
// KEYS.md. (More would balance more nodes, and cost more connections.)
inline constexpr size_t kClusterParts = 128;

// How names are made. All begin with a prefix, so that several Letterboxes can share a Redis.
class KeyNames {
 public:
  // `cluster_parts`: 0: of one Redis, which has one part and does not name it.
  // REQUIRES: valid_key_prefix(prefix).
  explicit KeyNames(std::string_view prefix = {}, size_t cluster_parts = 0);

  const std::string& prefix() const { return prefix_; }
  size_t parts() const { return cluster_parts_ == 0 ? 1 : cluster_parts_; }
  size_t part_of(std::string_view name) const;

  // `mailbox:{alice}`; in a cluster `mailbox:{17}alice`.
  std::string own(std::string_view kind, size_t part, std::string_view name) const;
  // The name in such a key; empty for any other key.
  std::string_view name_in(std::string_view key, std::string_view kind) const;
  // `letterbox:online`; in a cluster `letterbox:online:{17}`.
  std::string shared(std::string_view kind, size_t part) const;
  // `letterbox:ready:NAME`; in a cluster `letterbox:ready:{17}NAME`.
  std::string shared(std::string_view kind, size_t part, std::string_view name) const;

 private:
  void append_part(std::string& key, size_t part) const;

  const std::string prefix_;
  const size_t cluster_parts_;
};

// main() sets it before a thread starts, at most once and before any name is made: both are
// asserted. Unless it is set, names are those of one Redis, without a prefix.
void set_key_names(std::string_view prefix, size_t cluster_parts);
const KeyNames& key_names();

inline const std::string& key_prefix() { return key_names().prefix(); }
// How many parts there are: 1, or as many as the cluster has.
inline size_t parts() { return key_names().parts(); }
// The part in which a name's data is: a user's, or that of an idempotency key's hash.
inline size_t part_of(std::string_view name) { return key_names().part_of(name); }
// The same, of any number of parts.
size_t part_of(std::string_view name, size_t parts);

// The name of a key of `kind` ("mailbox") that belongs to one user.
inline std::string key_of(std::string_view kind, std::string_view user) {
  return key_names().own(kind, part_of(user), user);
}

inline std::string mailbox_key(std::string_view user) { return key_of("mailbox", user); }
inline std::string clients_key(std::string_view user) { return key_of("clients", user); }
inline std::string tokens_key(std::string_view user) { return key_of("tokens", user); }
inline std::string standing_key(std::string_view user) { return key_of("standing", user); }
inline std::string presence_key(std::string_view user) { return key_of("presence", user); }
// The record of an idempotent push; what is to be pushed later; the messages of collapse keys.
inline std::string pushed_key(std::string_view user, std::string_view record) {
  return key_of("pushed", user) + ":" + std::string(record);
}
inline std::string scheduled_key(std::string_view user) { return key_of("scheduled", user); }
inline std::string collapse_key(std::string_view user) { return key_of("collapse", user); }
inline std::string groups_key(std::string_view user) { return key_of("groups", user); }

// The members of a group that are in this part.
inline std::string group_key(std::string_view group, size_t part) {
  return key_names().own("group", part, group);
}
// For SCAN: the keys of all groups.
inline std::string group_key_pattern(size_t part) { return group_key("*", part); }
// A list of no user, which is never there.
inline std::string nobodys_key(size_t part) { return key_names().own("mailbox", part, ""); }

// The user whose mailbox a key is; empty for any other key.
std::string_view mailbox_user(std::string_view key);
// The group whose members a key holds; empty for any other key.
std::string_view group_of(std::string_view key);

// The key at which a program that watches mailboxes of this part is rung, and the program's name in
// `base`. `program` is its own name, without blanks.
inline std::string address_key(std::string_view program, size_t part) {
  return key_names().shared("address", part, program);
}
inline std::string watcher_of(std::string_view program) { return "@" + std::string(program); }

// The key that a program's /readyz writes.
inline std::string ready_key(std::string_view program, size_t part) {
  return key_names().shared("ready", part, program);
}

// A use of an Idempotency-Key, by the key's hash.
inline std::string idempotency_key(std::string_view hash) {
  return key_names().shared("idempotency", part_of(hash), hash);
}

// The keys that each part has once, for all its users.
struct SharedKeys {
  SharedKeys(const KeyNames& of, size_t part);
  SharedKeys(const SharedKeys&) = delete;
  SharedKeys& operator=(const SharedKeys&) = delete;

  // Presence: which users are online.
  const std::string online;
  const std::string names;
  const std::string events;
  const std::string sweeper;
  // The groups that have members, and whether those of an older version were looked for.
  const std::string groups;
  const std::string groups_found;
  // When each message that is to be pushed later is due.
  const std::string schedule;
  // The start of the present reign, and the id of the Redis data it belongs to.
  const std::string reign;
  const std::string reign_of;
  // A notice tells the programs which user to look at again.
  const std::string notices;
  const std::string notice_count;
  // Which messages are posted to the webhook unless a client acknowledges them, and when.
  const std::string unheard;
  // The keys of reign.lua, in its order.
  const std::array<std::string_view, 2> of_reign{reign_of, reign};
};

// They live as long as the program.
const SharedKeys& shared_keys(size_t part);

// The keys of a mailbox, in the order in which the scripts take them.
struct MailboxKeys {
  explicit MailboxKeys(std::string_view user)
      : part(part_of(user)),
        base(key_of("base", user)),
        unacked(key_of("unacked", user)),
        mailbox(mailbox_key(user)),
        clients(clients_key(user)) {}

  std::array<std::string_view, 4> views() const { return {base, unacked, mailbox, clients}; }

  // For the scripts that must know of the reign. It is the last key of each: they derive names that
  // they are not given from it.
  std::array<std::string_view, 5> with_reign() const {
    return {base, unacked, mailbox, clients, shared_keys(part).reign};
  }

  size_t part;
  std::string base;
  std::string unacked;
  std::string mailbox;
  std::string clients;
};

}  // namespace letterbox
