// SPDX-License-Identifier: MIT
#include "waiting/effects.h"

#include <cassert>

namespace letterbox {

void Effects::answer() const {
  // (Nobody moves a poll that has ended, so it needs no lock.)
  for (const auto& [poll, ending] : endings) assert(poll->state() == Poll::State::ended);
  for (const auto& [poll, error] : refusals) assert(poll->state() == Poll::State::ended);
  for (const auto& [poll, ending] : endings) poll->reply_to->answer(ending);
  for (const auto& [poll, error] : refusals) poll->reply_to->refuse(error);
}

}  // namespace letterbox
