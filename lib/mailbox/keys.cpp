// SPDX-License-Identifier: MIT
#include "mailbox/keys.h"

#include <atomic>
#include <cassert>
#include <deque>
#include <optional>

#include "base/text.h"
#include "model/names.h"
#include "redis/slot.h"

namespace letterbox {

namespace {

// Written before any thread starts. Once a name has been made, it stays.
std::optional<KeyNames> chosen_names;
std::atomic<bool> names_are_fixed = false;

const KeyNames& fix_names() {
  names_are_fixed = true;
  if (!chosen_names) chosen_names.emplace();
  return *chosen_names;
}

}  // namespace

bool valid_key_prefix(std::string_view prefix) {
  // (A client's name has the same characters and length.)
  return prefix.empty() || valid_client(prefix);
}

KeyNames::KeyNames(std::string_view prefix, size_t cluster_parts)
    : prefix_(prefix), cluster_parts_(cluster_parts) {
  assert(valid_key_prefix(prefix));
}

size_t KeyNames::part_of(std::string_view name) const { return letterbox::part_of(name, parts()); }

void KeyNames::append_part(std::string& key, size_t part) const {
  assert(part < parts());
  if (cluster_parts_ == 0) return;
  key += '{';
  append_u64(key, part);
  key += '}';
}

std::string KeyNames::own(std::string_view kind, size_t part, std::string_view name) const {
  std::string key = prefix_;
  key.append(kind) += ':';
  append_part(key, part);
  if (cluster_parts_ == 0) key += '{';
  key += name;
  if (cluster_parts_ == 0) key += '}';
  return key;
}

std::string_view KeyNames::name_in(std::string_view key, std::string_view kind) const {
  for (const std::string_view begin : {std::string_view(prefix_), kind, std::string_view(":{")}) {
    if (!key.starts_with(begin)) return {};
    key.remove_prefix(begin.size());
  }
  if (cluster_parts_ == 0) {
    if (!key.ends_with('}')) return {};
    key.remove_suffix(1);
    return key;
  }
  const auto part = parse_u64(take_until(key, '}'));
  return part && *part < parts() ? key : std::string_view();
}

std::string KeyNames::shared(std::string_view kind, size_t part) const {
  std::string key = prefix_ + "letterbox:";
  key += kind;
  if (cluster_parts_ != 0) key += ':';
  append_part(key, part);
  return key;
}

std::string KeyNames::shared(std::string_view kind, size_t part, std::string_view name) const {
  std::string key = prefix_ + "letterbox:";
  key.append(kind) += ':';
  append_part(key, part);
  return key.append(name);
}

void set_key_names(std::string_view prefix, size_t cluster_parts) {
  assert(!chosen_names && !names_are_fixed);
  chosen_names.emplace(prefix, cluster_parts);
}

const KeyNames& key_names() {
  static const KeyNames& names = fix_names();
  return names;
}

size_t part_of(std::string_view name, size_t parts) { return parts == 1 ? 0 : crc16(name) % parts; }

std::string_view mailbox_user(std::string_view key) { return key_names().name_in(key, "mailbox"); }

std::string_view group_of(std::string_view key) { return key_names().name_in(key, "group"); }

SharedKeys::SharedKeys(const KeyNames& of, size_t part)
    : online(of.shared("online", part)),
      names(of.shared("names", part)),
      events(of.shared("events", part)),
      sweeper(of.shared("sweeper", part)),
      groups(of.shared("groups", part)),
      groups_found(of.shared("groups-found", part)),
      schedule(of.shared("schedule", part)),
      reign(of.shared("reign", part)),
      reign_of(of.shared("reign:of", part)),
      notices(of.shared("notices", part)),
      notice_count(of.shared("notice-count", part)),
      unheard(of.shared("unheard", part)) {}

const SharedKeys& shared_keys(size_t part) {
  static const std::deque<SharedKeys> keys = [] {
    std::deque<SharedKeys> each;
    for (size_t i = 0; i < parts(); ++i) each.emplace_back(key_names(), i);
    return each;
  }();
  assert(part < keys.size());
  return keys[part];
}

}  // namespace letterbox
