// SPDX-License-Identifier: MIT
//
// The way back to whoever listens by GET /events: writes what a stream is given as Server-Sent
// Events. A browser's EventSource takes any status but 200 for the end for good, so what may pass
// is said in a stream that ends, and when to come back. fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/sync.h"
#include "fastcgi/answer.h"
#include "handlers/pinger.h"
#include "model/event_stream.h"
#include "waiting/poll.h"

namespace letterbox {

// So many bytes may wait for a client: then it is slow, and the stream ends.
inline constexpr size_t kUnsentMost = 262'144;

class EventStream final : public ReplyTo, public Pinged {
 public:
  // `position`: where it begins, as the cursor that the client will come back with; empty: that
  // means nothing. `there` is called, on the worker's thread, as long as the client is.
  EventStream(Answer answer, EventFormat format, std::string position, std::function<void()> there);

  // Any thread.
  void answer(const Ending& ending) override EXCLUDES(mutex_);
  void refuse(const Error& error) override EXCLUDES(mutex_);
  Taken write(const Portion& portion) override EXCLUDES(mutex_);
  bool when_gone(std::weak_ptr<PeerListener> listener) override EXCLUDES(mutex_);

  // The worker's thread. A comment is written unless something else was since the last time.
  bool ping() override EXCLUDES(mutex_);

 private:
  size_t append(const std::string& text) REQUIRES(mutex_);
  void end(std::string_view reason, uint64_t retry_after_ms) REQUIRES(mutex_);

  const EventFormat format_;
  const std::function<void()> there_;

  Mutex mutex_;
  Answer answer_ GUARDED_BY(mutex_);
  std::string position_ GUARDED_BY(mutex_);  // until it is written
  bool wrote_ GUARDED_BY(mutex_) = false;    // since the last ping
  bool second_ GUARDED_BY(mutex_) = false;
};

// Refuses whoever wants a stream before there is one.
void refuse_stream(Answer& answer, const Error& error);

}  // namespace letterbox
