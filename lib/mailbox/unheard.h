// SPDX-License-Identifier: MIT
//
// Which messages are to be posted to the webhook unless a client acknowledges them in time. Several
// programs may lease entries; each entry is leased to one program at a time. An interface, for a
// cluster and for tests; RedisUnheard is the real one.
//
// An Unheard belongs to one thread. Callbacks come on that thread, once each, possibly before the
// call returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "mailbox/store.h"
#include "model/cursor.h"

namespace letterbox {

// The most entries that are kept (in each part of a cluster): the oldest go.
inline constexpr size_t kUnheardEntries = 100'000;
// How long an entry belongs to a program: twice the time that a post may take.
inline constexpr uint64_t kUnheardLeaseMs = 30 * kSecondMs;

// A message that a client may have acknowledged meanwhile.
struct UnheardEntry {
  std::string text;  // as it is in Redis
  std::string user;
  Cursor id;
  unsigned tries = 0;  // how often it has been leased, this time included
};

class Unheard {
 public:
  template <class T>
  using Then = Store::Then<T>;

  struct Leased {
    std::vector<UnheardEntry> entries;
    size_t waiting = 0;  // entries in Redis, due or not
    size_t dropped = 0;  // the oldest entries, removed because there were more than kUnheardEntries
  };

  virtual ~Unheard() = default;

  // At most `most` entries that are due. They are due again after kUnheardLeaseMs.
  virtual void lease(size_t most, Then<Leased> then) = 0;

  // The message's element, as it is in `unacked`. None: a client has acknowledged it, or it was
  // removed or has expired.
  virtual void look(const UnheardEntry& entry, Then<std::optional<std::string>> then) = 0;

  // Removes the entry; or has it wait for another `ms`. If Redis does not hear of it, the entry is
  // due again when its lease ends.
  virtual void remove(const UnheardEntry& entry) = 0;
  virtual void put_off(const UnheardEntry& entry, uint64_t ms) = 0;
};

}  // namespace letterbox
