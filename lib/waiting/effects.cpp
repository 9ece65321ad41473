// SPDX-License-Identifier: MIT
#include "waiting/effects.h"

namespace letterbox {

void Effects::answer() const {
  for (const auto& [poll, ending] : endings) poll->reply_to->answer(ending);
  for (const auto& [poll, error] : refusals) poll->reply_to->refuse(error);
}

}  // namespace letterbox
