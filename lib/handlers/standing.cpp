// SPDX-License-Identifier: MIT
#include "handlers/standing.h"

#include <cstdint>
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

// What a kick, a lock or an unlock says. An unlock needs only the user.
struct Change {
  std::string user;
  std::string reason;
  uint64_t for_ms = kKickMs;
};

Or<Change> read_change(const Request& request) {
  const auto members = members_of(request);
  if (!members) return members.error();
  auto user = user_member(*members);
  if (!user) return user.error();
  auto reason = text_member(*members, "reason");
  if (!reason) return reason.error();
  if (*reason && utf8_length(**reason) > kReasonCharacters) {
    return Error{Code::bad_request,
                 "'reason' must be at most " + std::to_string(kReasonCharacters) + " characters"};
  }
  const auto for_ms = seconds_member(*members, "for", kKickMostMs);
  if (!for_ms) return for_ms.error();
  return Change{std::move(*user), std::move(*reason).value_or(""), for_ms->value_or(kKickMs)};
}

// `act` does what the request asks for. The answer is what `tell` makes of the outcome.
template <class Act, class Tell>
void carry_out(const Request& request, Answer answer, Act act, Tell tell) {
  const auto change = read_change(request);
  if (!change) return refuse(answer, change.error());
  act(*change, answering(std::move(answer), tell));
}

}  // namespace

StandingHandler::StandingHandler(Access& access) : access_(access) {}

void StandingHandler::kick(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Change& change, Access::Then<bool> then) {
        access_.kick(change.user, change.reason, change.for_ms, std::move(then));
      },
      [](bool) { return "{\"kicked\":true}\n"; });
}

void StandingHandler::lock(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Change& change, Access::Then<bool> then) {
        access_.lock(change.user, change.reason, std::move(then));
      },
      [](bool) { return "{\"locked\":true}\n"; });
}

void StandingHandler::unlock(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Change& change, Access::Then<bool> then) {
        access_.unlock(change.user, std::move(then));
      },
      [](bool was) {
        return was ? "{\"locked\":false,\"was_locked\":true}\n"
                   : "{\"locked\":false,\"was_locked\":false}\n";
      });
}

}  // namespace letterbox
