// SPDX-License-Identifier: MIT
#include "redis/reply.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace letterbox {

namespace {

// This server is not the master any more, or not yet: look for the master again.
constexpr std::array<std::string_view, 6> kElsewhere{"READONLY", "MASTERDOWN", "UNBLOCKED",
                                                     "LOADING",  "MOVED",      "ASK"};
// This server is the master, but can't take a write now: memory, disk, replicas, a script that
// hangs.
constexpr std::array<std::string_view, 6> kNotNow{"OOM",  "MISCONF",  "NOREPLICAS",
                                                  "BUSY", "TRYAGAIN", "CLUSTERDOWN"};

template <size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& words) {
  const auto first = text.substr(0, text.find(' '));
  return std::find(words.begin(), words.end(), first) != words.end();
}

Reply::Failure classify(const redisReply* reply) {
  if (reply == nullptr) return Reply::Failure::away;
  if (reply->type != REDIS_REPLY_ERROR) return Reply::Failure::none;
  const std::string_view text(reply->str, static_cast<size_t>(reply->len));
  return starts_with_any(text, kElsewhere) || starts_with_any(text, kNotNow)
             ? Reply::Failure::away
             : Reply::Failure::refused;
}

}  // namespace

Reply::Reply(const redisReply* reply) : reply_(reply), failure_(classify(reply)) {}

Reply Reply::away() { return Reply(nullptr); }

std::string_view Reply::error() const {
  if (reply_ == nullptr) return "no connection";
  if (reply_->type != REDIS_REPLY_ERROR) return {};
  return {reply_->str, static_cast<size_t>(reply_->len)};
}

bool Reply::must_reconnect() const { return starts_with_any(error(), kElsewhere); }

bool Reply::no_script() const { return error().starts_with("NOSCRIPT"); }

bool Reply::is_nil() const { return reply_ != nullptr && reply_->type == REDIS_REPLY_NIL; }

std::string_view Reply::text() const {
  if (reply_ == nullptr ||
      (reply_->type != REDIS_REPLY_STRING && reply_->type != REDIS_REPLY_STATUS)) {
    return {};
  }
  return {reply_->str, static_cast<size_t>(reply_->len)};
}

int64_t Reply::integer() const {
  if (reply_ != nullptr && reply_->type == REDIS_REPLY_INTEGER) return reply_->integer;
  int64_t number = 0;
  const auto digits = text();
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

size_t Reply::size() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

bool Reply::is_empty_array() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_ARRAY && reply_->elements == 0;
}

Reply Reply::operator[](size_t i) const { return Reply(reply_->element[i]); }

}  // namespace letterbox
