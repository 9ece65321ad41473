// SPDX-License-Identifier: MIT
//
// The groups, their members, and the users online: the recipients of `to=group:NAME` and `to=*`.
// An interface, so that tests have one of their own; RedisGroups is the real one.
//
// A Groups belongs to one worker. Callbacks come on that worker's thread, once each, possibly
// before the call returns. After Code::store_unavailable it is unknown whether the call was carried
// out. After Code::broken_data it was not: a key holds something else, and the message names it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "mailbox/group_adoption.h"
#include "model/error.h"
#include "redis/redis.h"

namespace letterbox {

struct GroupView {
  struct Member {
    std::string user;
    bool online = false;
  };
  uint64_t size = 0;  // of the whole group
  std::vector<Member> members;
  bool more = false;  // further members follow the last of these
};

// A page of the groups that have members, in the order of their names.
struct GroupPage {
  struct Group {
    std::string name;
    uint64_t size = 0;
  };
  std::vector<Group> groups;
  std::string next;  // `after` of the next page; empty: this page is the last
};

// The groups that a page is of.
struct GroupQuestion {
  std::string prefix = {};  // only names that begin so
  std::string after = {};   // only names behind this one; empty: from the first
  size_t limit = 0;
};

// How a group has changed.
struct GroupChange {
  uint64_t added = 0;
  uint64_t removed = 0;
  uint64_t size = 0;  // of the whole group, afterwards
};

// One page of names. The caller passes `next` to get the next page; empty: this page is the last.
struct Names {
  std::vector<std::string> names;
  std::string next;
};

// A group may have at most `members_max` members.
Error group_full(size_t members_max);

class Groups {
 public:
  template <class T>
  using Then = Callback<void(Or<T>)>;

  virtual ~Groups() = default;

  // A put() of one user. False: the user was a member already. Another error is Code::group_full.
  virtual void add(std::string_view group, std::string_view user, Then<bool> then);
  // Adds users; with `replace` also removes all other members. Up to kGroupStepUsers users of a
  // group that has no more members are one step; beyond that there are several, in the order of
  // names. Another error is Code::group_full: of what is one step nobody was then added.
  virtual void put(std::string_view group, std::vector<std::string> users, bool replace,
                   Then<GroupChange> then) = 0;
  // False: the user was no member.
  virtual void remove(std::string_view group, std::string_view user, Then<bool> then) = 0;
  // A put() that replaces all members by none. False: there were none.
  virtual void remove_all(std::string_view group, Then<bool> then);
  // At most `limit` members, in the byte order of their names, beginning behind `after`.
  virtual void view(std::string_view group, std::string_view after, size_t limit,
                    Then<GroupView> then) = 0;
  virtual void list(const GroupQuestion& question, Then<GroupPage> then) = 0;
  // The groups that a user is a member of, in the order of their names.
  virtual void groups_of(std::string_view user, Then<std::vector<std::string>> then) = 0;

  // One page of the members; `from` is empty for the first page, then the last page's `next`. The
  // pages hold every user who is a member throughout; a user who joins or leaves meanwhile may be
  // missing.
  virtual void members(std::string_view group, std::string_view from, Then<Names> then) = 0;
  // The same for the users online. A name may come twice.
  virtual void online(std::string_view from, Then<Names> then) = 0;
};

class RedisGroups final : public Groups {
 public:
  // `members_max`: how many members a group may have.
  RedisGroups(Redis& redis, const Clock& clock, size_t members_max);

  void put(std::string_view group, std::vector<std::string> users, bool replace,
           Then<GroupChange> then) override;
  void remove(std::string_view group, std::string_view user, Then<bool> then) override;
  void view(std::string_view group, std::string_view after, size_t limit,
            Then<GroupView> then) override;
  void list(const GroupQuestion& question, Then<GroupPage> then) override;
  void groups_of(std::string_view user, Then<std::vector<std::string>> then) override;
  void members(std::string_view group, std::string_view from, Then<Names> then) override;
  void online(std::string_view from, Then<Names> then) override;

 private:
  struct Regrouping;

  void regroup(const std::shared_ptr<Regrouping>& work, Then<GroupChange> then);
  void mark_online(const std::shared_ptr<GroupView>& view, Then<GroupView> then);

  Redis& redis_;
  const Clock& clock_;
  const size_t members_max_;
  GroupAdoption adoption_;
};

}  // namespace letterbox
