// SPDX-License-Identifier: MIT
#include "mailbox/eraser.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "scripts.h"

namespace letterbox {

struct RedisEraser::Work {
  const std::string user;
  Then then;
  Erased erased = {};
};

RedisEraser::RedisEraser(Redis& redis, Store& store, const Clock& clock, uint64_t signed_life_ms,
                         const PresenceRules& presence)
    : redis_(redis),
      store_(store),
      clock_(clock),
      signed_life_ms_(signed_life_ms),
      presence_(presence),
      adoption_(redis) {}

// First what lets the user in, so that polls end, and then the mailbox, in which they note their
// end.
void RedisEraser::erase(std::string_view user, Then then) {
  assert(part_of(user) == redis_.part());
  const auto work = std::make_shared<Work>(Work{std::string(user), std::move(then)});
  const std::array<std::string, 5> its_keys{tokens_key(user), standing_key(user),
                                            presence_key(user), scheduled_key(user),
                                            collapse_key(user)};
  std::vector<std::string_view> keys(its_keys.begin(), its_keys.end());
  keys.insert(keys.end(),
              {shared_keys(redis_.part()).online, shared_keys(redis_.part()).names,
               shared_keys(redis_.part()).events, shared_keys(redis_.part()).schedule,
               shared_keys(redis_.part()).notices, shared_keys(redis_.part()).notice_count});
  const std::array<std::string, 4> numbers{
      std::to_string(clock_.wall_ms()), std::to_string(signed_life_ms_),
      std::to_string(presence_.events ? presence_.events_kept : 0),
      std::to_string(presence_.life_ms)};
  redis_.eval(lua::erase, keys,
              std::array<std::string_view, 6>{user, numbers[0], numbers[1], kTextOf<kNoticesLifeMs>,
                                              numbers[2], numbers[3]},
              [this, work](const Reply& reply) {
                if (!reply.ok() || reply.size() < 4) return work->then(failure_of(reply));
                work->erased.tokens = reply[0].number();
                work->erased.standing = reply[1].integer() != 0;
                work->erased.presence = reply[2].integer() != 0;
                work->erased.scheduled = reply[3].number();
                adoption_.find_all([this, work](const Or<bool>& found) {
                  if (!found) return work->then(found.error());
                  leave_groups(work, "-");
                });
              });
}

// Looks through all groups, also for members that were added by hand.
void RedisEraser::leave_groups(const std::shared_ptr<Work>& work, const std::string& begin) {
  const std::string its_groups = groups_key(work->user);
  redis_.eval(lua::quit,
              std::array<std::string_view, 2>{its_groups, shared_keys(redis_.part()).groups},
              std::array<std::string_view, 3>{work->user, begin, kTextOf<kGroupStepUsers>},
              [this, work](const Reply& reply) {
                if (!reply.ok() || reply.size() == 0) return work->then(failure_of(reply));
                for (size_t i = 1; i < reply.size(); ++i) {
                  work->erased.groups.emplace_back(reply[i].text());
                }
                if (reply[0].text().empty()) return empty_mailbox(work);
                leave_groups(work, "(" + std::string(reply[0].text()));
              });
}

void RedisEraser::empty_mailbox(const std::shared_ptr<Work>& work) {
  store_.view(work->user, {}, [this, work](const Or<MailboxView>& view) {
    const bool broken = !view && view.error().code == Code::broken_data;
    if (!view && !broken) return work->then(view.error());
    // (A mailbox that can't be read is removed, but nobody can say what was in it.)
    work->erased.messages = broken ? 0 : view->queued;
    store_.remove(work->user, [work](const Or<bool>& removed) {
      if (!removed) return work->then(removed.error());
      work->then(std::move(work->erased));
    });
  });
}

}  // namespace letterbox
