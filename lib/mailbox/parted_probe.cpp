// SPDX-License-Identifier: MIT
#include "mailbox/parted_probe.h"

#include <algorithm>

namespace letterbox {

void PartedProbe::ask(Then then) {
  gather<std::string>(
      parts_.size(),
      [&](size_t part, Callback<void(std::string)> told) {
        parts_[part].ask([told = std::move(told)](const std::string& trouble) { told(trouble); });
      },
      [then = std::move(then)](const std::vector<std::string>& troubles) {
        then(whole_trouble(troubles));
      });
}

std::string whole_trouble(const std::vector<std::string>& troubles) {
  std::vector<std::pair<std::string, size_t>> counts;  // in the order of their first parts
  for (const auto& trouble : troubles) {
    if (trouble.empty()) continue;
    const auto found = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == trouble; });
    if (found == counts.end()) {
      counts.emplace_back(trouble, 1);
    } else {
      ++found->second;
    }
  }
  std::string whole;
  for (const auto& [trouble, parts] : counts) {
    if (!whole.empty()) whole += "; ";
    whole +=
        std::to_string(parts) + " of " + std::to_string(troubles.size()) + " parts: " + trouble;
  }
  return whole;
}

}  // namespace letterbox
