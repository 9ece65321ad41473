// SPDX-License-Identifier: MIT
#include "mailbox/parted_access.h"

#include <algorithm>
#include <utility>

namespace letterbox {

void PartedAccess::any_stands(std::span<const std::string> users, Then<bool> then) {
  const auto shares = divide(users, parts_.size(), itself);
  gather<Or<bool>>(
      shares.size(),
      [&](size_t i, Then<bool> told) {
        parts_[shares[i].part].any_stands(pick<std::string>(users, shares[i]), std::move(told));
      },
      [then = std::move(then)](const std::vector<Or<bool>>& answers) {
        if (all_failed(answers)) return then(*first_error(answers));
        then(std::any_of(answers.begin(), answers.end(),
                         [](const Or<bool>& stands) { return !stands || *stands; }));
      });
}

}  // namespace letterbox
