// SPDX-License-Identifier: MIT
//
// Adopts groups that are not in the list of all groups: groups that were made by hand, or by a
// version that kept no such list. KEYS.md says what is listed. Used by the classes that read groups
// or change them. For one worker's thread.
#pragma once

#include <string>
#include <string_view>

#include "base/callback.h"
#include "model/error.h"
#include "redis/redis.h"

namespace letterbox {

class GroupAdoption {
 public:
  using Then = Callback<void(Or<bool>)>;

  explicit GroupAdoption(Redis& redis) : redis_(redis) {}

  // A group is used. If it is not listed it is adopted, soon after.
  void meet(std::string_view group);
  // Calls `then` when every group is listed that was here when this Redis was first asked for all
  // groups. The first call looks at every key of the database, a thousand at a time; later calls
  // cost one GET. In a cluster of several parts every group is listed.
  void find_all(Then then);

 private:
  void adopt(const std::string& group, const std::string& begin, Then then);
  void adopt_each(std::vector<std::string> groups, Then then);
  void scan(std::string_view cursor, Then then);

  Redis& redis_;
};

}  // namespace letterbox
