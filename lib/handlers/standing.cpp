// SPDX-License-Identifier: MIT
#include "handlers/standing.h"

#include <cstdint>
#include <string>
#include <utility>

#include "base/text.h"
#include "handlers/order.h"
#include "handlers/reply.h"

namespace letterbox {

namespace {

// How long whoever has no token to lose is kept out, if nothing is said of it; and at most.
constexpr uint64_t kKickMs = 60'000;
constexpr uint64_t kKickMostMs = 30ULL * 86'400'000;
constexpr size_t kReasonMost = 200;  // characters

struct Order {
  std::string user;
  std::string reason;
  uint64_t for_ms = kKickMs;
};

Or<Order> read_order(const Request& request) {
  const auto members = members_of(request);
  if (!members) return members.error();
  auto user = user_member(*members);
  if (!user) return user.error();
  auto reason = text_member(*members, "reason");
  if (!reason) return reason.error();
  if (*reason && utf8_length(**reason) > kReasonMost) {
    return Error{Code::bad_request, "'reason' must be at most 200 characters"};
  }
  const auto for_ms = seconds_member(*members, "for", kKickMostMs);
  if (!for_ms) return for_ms.error();
  return Order{std::move(*user), std::move(*reason).value_or(""), for_ms->value_or(kKickMs)};
}

// What is asked for is done by `act`, and answered by what `tell` makes of its outcome.
template <class Act, class Tell>
void carry_out(const Request& request, Answer answer, Act act, Tell tell) {
  const auto order = read_order(request);
  if (!order) return refuse(answer, order.error());
  act(*order, answering(std::move(answer), tell));
}

}  // namespace

StandingHandler::StandingHandler(Access& access) : access_(access) {}

void StandingHandler::kick(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Order& order, Access::Then<bool> then) {
        access_.kick(order.user, order.reason, order.for_ms, std::move(then));
      },
      [](bool) { return "{\"kicked\":true}\n"; });
}

void StandingHandler::lock(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Order& order, Access::Then<bool> then) {
        access_.lock(order.user, order.reason, std::move(then));
      },
      [](bool) { return "{\"locked\":true}\n"; });
}

void StandingHandler::unlock(const Request& request, Answer answer) const {
  carry_out(
      request, std::move(answer),
      [this](const Order& order, Access::Then<bool> then) {
        access_.unlock(order.user, std::move(then));
      },
      [](bool was) {
        return was ? "{\"locked\":false,\"was_locked\":true}\n"
                   : "{\"locked\":false,\"was_locked\":false}\n";
      });
}

}  // namespace letterbox
