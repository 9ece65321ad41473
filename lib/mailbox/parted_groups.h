// SPDX-License-Identifier: MIT
//
// The groups in a cluster: each part has those members of a group that are its users, so a member
// and the member's groups change in one step. A call that concerns the whole group asks all parts
// side by side. For one worker's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mailbox/groups.h"
#include "mailbox/parted.h"

namespace letterbox {

class PartedGroups final : public Groups {
 public:
  // `members_max`: how many members a group may have. Each part is given the whole limit; here it
  // is compared with the sum, so calls at the same time may exceed it by what they add.
  PartedGroups(std::vector<Groups*> parts, size_t members_max)
      : parts_(std::move(parts)), members_max_(members_max) {}

  // Each part's users are one step or several. Code::group_full also if the call names more users
  // than there is room for, though some may be members already.
  void put(std::string_view group, std::vector<std::string> users, bool replace,
           Then<GroupChange> then) override;
  void remove(std::string_view group, std::string_view user, Then<bool> then) override {
    parts_.of(user).remove(group, user, std::move(then));
  }
  void view(std::string_view group, std::string_view after, size_t limit,
            Then<GroupView> then) override;
  void list(const GroupQuestion& question, Then<GroupPage> then) override;
  void groups_of(std::string_view user, Then<std::vector<std::string>> then) override {
    parts_.of(user).groups_of(user, std::move(then));
  }
  // The names of one part follow each other, so that a step of a push to many concerns one part, or
  // few. The first page asks all parts, each further one the next kPartsAPage that have more.
  void members(std::string_view group, std::string_view from, Then<Names> then) override;
  void online(std::string_view from, Then<Names> then) override;

  static constexpr size_t kPartsAPage = 4;

 private:
  struct Change;
  struct Viewing;
  using AskPart = std::function<void(size_t part, std::string_view from, Then<Names> told)>;

  void view_on(const std::shared_ptr<Viewing>& viewing);
  void find_room(std::string_view group, Change change);
  void carry_out(std::string_view group, Change change);
  static void page(std::string_view from, size_t parts, const AskPart& ask, Then<Names> then);

  const Parts<Groups> parts_;
  const size_t members_max_;
};

}  // namespace letterbox
