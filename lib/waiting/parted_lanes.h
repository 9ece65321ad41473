// SPDX-License-Identifier: MIT
//
// The lanes of all parts of the data (mailbox/keys.h): the lists of one BLPOP must be in one part,
// so each part has lanes of its own. Any thread may call, as with Lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "waiting/bells.h"
#include "waiting/lanes.h"
#include "waiting/listener.h"

namespace letterbox {

class PartedLanes final : public Bells {
 public:
  // `most` lanes in all, but at least one a part.
  PartedLanes(const Clock& clock, size_t parts, size_t most, size_t each = kLaneMailboxes);

  // Must be called before watch(). The lanes of a part are spread over its hosts in turn.
  void open(Room& room, const std::function<std::vector<ListenerHost>(size_t part)>& hosts_of,
            Log& log);

  Place watch(std::string_view user) override;
  void unwatch(const Place& place, std::string_view user) override;
  bool hears(const Place& place) const override;

  // Sums over all parts.
  size_t size() const;
  uint64_t refusals() const;

 private:
  Lanes& lanes_of(std::string_view user);

  std::vector<std::unique_ptr<Lanes>> parts_;  // constant
};

}  // namespace letterbox
