// SPDX-License-Identifier: MIT
#include "requests/event_stream.h"

#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/text.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

// A client whose connection has broken comes back after one to three seconds. So the clients of a
// program or an nginx that has died don't all come back in one moment.
uint64_t spread_ms() { return 1000 + random_below(2000); }

uint64_t wait_ms(const Error& error) {
  return error.retry_after_ms > 0 ? static_cast<uint64_t>(error.retry_after_ms) : spread_ms();
}

Response head(std::string body) {
  return {.status = 200, .body = std::move(body), .content_type = "text/event-stream"};
}

void append_end(std::string& text, std::string_view reason, uint64_t retry_after_ms) {
  append_retry(text, retry_after_ms);
  std::string json = R"({"reason":")";
  json += reason;
  json += R"(","retry_after_ms":)";
  append_u64(json, retry_after_ms);
  json += '}';
  append_own_event(text, "end", json);
}

}  // namespace

void refuse_stream(Answer& answer, const Error& error) {
  // Status 204 tells an EventSource to stop.
  if (error.code == Code::kicked) return answer.send({.status = 204, .body = ""});
  if (info(error.code).terminal) return refuse(answer, error);
  std::string text;
  append_end(text, info(error.code).name, wait_ms(error));
  answer.begin(head(std::move(text)));
  answer.end();
}

EventStream::EventStream(Answer answer, EventFormat format, std::string position,
                         std::function<void()> there)
    : format_(format),
      there_(std::move(there)),
      answer_(std::move(answer)),
      position_(std::move(position)) {}

bool EventStream::when_gone(std::weak_ptr<PeerListener> listener) {
  Lock lock(mutex_);
  return answer_.when_gone(std::move(listener));
}

ReplyTo::Taken EventStream::write(const Portion& portion) {
  std::string text;
  if (portion.reset) append_own_event(text, "reset", "{}");
  if (portion.missed > 0) {
    append_own_event(text, "missed", R"({"missed":)" + std::to_string(portion.missed) + "}");
  }
  // (The portion's messages, if there are any, tell the client its new position.)
  const bool moved = portion.reset || portion.missed > 0;
  if (moved && portion.messages.empty()) append_position(text, portion.cursor.text());
  for (const auto& message : portion.messages) append_event(text, message, format_);
  Lock lock(mutex_);
  const size_t unsent = append(text);
  if (unsent == 0) return Taken::all;
  return unsent <= kUnsentBytes ? Taken::in_part : Taken::too_little;
}

void EventStream::answer(const Ending& ending) {
  Lock lock(mutex_);
  end(name(ending.reason), ending.retry_after_ms);
}

void EventStream::refuse(const Error& error) {
  Lock lock(mutex_);
  if (!answer_.begun()) return refuse_stream(answer_, error);
  end(info(error.code).name, wait_ms(error));
}

bool EventStream::ping() {
  bool there = false;
  {
    Lock lock(mutex_);
    if (!answer_) return false;
    if (answer_.begun() && !std::exchange(wrote_, false)) answer_.append(kEventPing);
    there = std::exchange(second_, !second_);
  }
  if (there) there_();
  return true;
}

// Returns the number of bytes that are then unsent. The first text of a stream also tells the
// client when to come back, and where the stream begins.
size_t EventStream::append(const std::string& text) {
  wrote_ = true;
  if (answer_.begun()) return answer_.append(text);
  std::string first;
  append_retry(first, spread_ms());
  if (!position_.empty()) append_position(first, position_);
  answer_.begin(head(first + text));
  position_ = {};
  return answer_.append({});
}

void EventStream::end(std::string_view reason, uint64_t retry_after_ms) {
  std::string text;
  append_end(text, reason, retry_after_ms);
  append(text);
  assert(answer_.begun() || !answer_);
  answer_.end();
}

}  // namespace letterbox
