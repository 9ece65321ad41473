// SPDX-License-Identifier: MIT
#include "waiting/outbox.h"

#include <cassert>

namespace letterbox {

OwnPortion::OwnPortion(const Portion& portion) : portion_(portion) {
  // (A short string's text moves with the string. Space is reserved first, so that no body moves
  // once a view points to it.)
  bodies_.reserve(portion.messages.size());
  messages_.reserve(portion.messages.size());
  for (const auto& message : portion.messages) {
    const std::string& body = bodies_.emplace_back(message.body);
    messages_.push_back({message.id, body});
  }
  assert(bodies_.size() == messages_.size() && messages_.size() == portion.messages.size());
  portion_.messages = messages_;
}

}  // namespace letterbox
