// SPDX-License-Identifier: MIT
#include "waiting/outbox.h"

namespace letterbox {

OwnPortion::OwnPortion(const Portion& portion) : portion_(portion) {
  // (A short body's text moves with its string: the views are made when all stand.)
  bodies_.reserve(portion.messages.size());
  messages_.reserve(portion.messages.size());
  for (const auto& message : portion.messages) {
    const std::string& body = bodies_.emplace_back(message.body);
    messages_.push_back({message.id, body});
  }
  portion_.messages = messages_;
}

}  // namespace letterbox
