// SPDX-License-Identifier: MIT
#include "requests/entrance.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace letterbox {

Or<void> Entrance::name(Question& question, const AdmissionPtr& admission) const {
  auto client = client_of(*admission, question.client);
  if (!client) return client.error();
  question.client = std::move(*client);
  question.user = admission->claim.user;
  question.admission = admission;
  if (admission->slide_ms != 0) {
    question.timeout_ms = std::min(question.timeout_ms, admission->slide_ms / 2);
  } else if (admission->expires_ms != 0) {
    const uint64_t now = desk_.loop.clock().wall_ms();
    const uint64_t left = admission->expires_ms - std::min(now, admission->expires_ms);
    question.outlives_admission = question.timeout_ms > left;
    question.timeout_ms = std::min(question.timeout_ms, left);
  }
  return {};
}

void Entrance::find(const Question& question, Start start, Store::Then<Cursor> then) const {
  assert(!question.user.empty() && start != Start::given);
  const Store::Parked who{question.user, question.client};
  desk_.store.peek({&who, 1}, false,
                   [start, then = std::move(then)](const Or<Store::Glimpses>& seen) {
                     if (!seen) return then(seen.error());
                     assert(seen->size() == 1);
                     // (If there is no glimpse, the read will say what is wrong.)
                     const Glimpse glimpse = seen->front().value_or(Glimpse{});
                     then(start == Start::newest ? glimpse.newest : glimpse.cursor);
                   });
}

void Entrance::seen(const std::string& user, const std::string& client, const Sender& from,
                    uint64_t pace_ms) const {
  const uint64_t until = desk_.loop.clock().wall_ms() + online_ms(pace_ms);
  presence_.seen(user, client, from.address, from.agent, until);
}

void Entrance::enter(Question question, std::shared_ptr<ReplyTo> reply_to, uint64_t heard) const {
  const std::string user = question.user;
  assert(!user.empty() && question.admission);
  room_.enter(desk_, std::move(question), std::move(reply_to));
  gate_.entered(heard, user);
}

}  // namespace letterbox
