// SPDX-License-Identifier: MIT
//
// Who belongs to which group, and who is online: whom `to=group:NAME` and `to=*` mean. An
// interface, so that tests have one of their own; RedisGroups is the real one.
//
// Belongs to one worker. Callbacks come on its thread, once each, possibly before the call returns.
// Errors are Code::store_unavailable: nobody knows then whether it was carried out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/error.h"
#include "redis/connection.h"

namespace letterbox {

struct GroupView {
  struct Member {
    std::string user;
    bool online = false;
  };
  uint64_t size = 0;  // of the whole group
  std::vector<Member> members;
  bool more = false;  // follow the last of them
};

// Some of many names. `next` is handed back for those that follow; empty: there are none.
struct Names {
  std::vector<std::string> names;
  std::string next;
};

class Groups {
 public:
  template <class T>
  using Then = std::function<void(Or<T>)>;

  virtual ~Groups() = default;

  // Whether it was no member before. Also Code::group_full.
  virtual void add(std::string_view group, std::string_view user, Then<bool> then) = 0;
  // Whether it was one.
  virtual void remove(std::string_view group, std::string_view user, Then<bool> then) = 0;
  // All of its members. Whether there was one.
  virtual void remove_all(std::string_view group, Then<bool> then) = 0;
  // The members whose names come after that one, in the order of their bytes.
  virtual void view(std::string_view group, std::string_view after, size_t limit,
                    Then<GroupView> then) = 0;

  // Page by page; `from` is empty at first. Who belongs to it all the while is among them, of those
  // who come and go meanwhile some are.
  virtual void members(std::string_view group, std::string_view from, Then<Names> then) = 0;
  // The same of all who are online; a name may come twice.
  virtual void online(std::string_view from, Then<Names> then) = 0;
};

class RedisGroups final : public Groups {
 public:
  // `members_max`: of one group.
  RedisGroups(RedisConnection& redis, const Clock& clock, size_t members_max);

  void add(std::string_view group, std::string_view user, Then<bool> then) override;
  void remove(std::string_view group, std::string_view user, Then<bool> then) override;
  void remove_all(std::string_view group, Then<bool> then) override;
  void view(std::string_view group, std::string_view after, size_t limit,
            Then<GroupView> then) override;
  void members(std::string_view group, std::string_view from, Then<Names> then) override;
  void online(std::string_view from, Then<Names> then) override;

 private:
  void mark_online(const std::shared_ptr<GroupView>& view, const Then<GroupView>& then);

  RedisConnection& redis_;
  const Clock& clock_;
  const size_t members_max_;
};

}  // namespace letterbox
