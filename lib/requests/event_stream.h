// SPDX-License-Identifier: MIT
//
// The way back to the client of a GET /events: writes what a stream is given as Server-Sent Events.
//
// A browser's EventSource stops for good after any status but 200. So an error that may pass is
// told in a stream with status 200: the stream says when to come back, and ends.
// fcgi/PROTOCOL.md.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/sync.h"
#include "fastcgi/answer.h"
#include "model/event_stream.h"
#include "requests/pinger.h"
#include "waiting/poll.h"

namespace letterbox {

class EventStream final : public ReplyTo, public Pinged {
 public:
  // `position`: the cursor at which the stream begins. The client comes back with this cursor. It
  // is empty if the client's cursor is foreign. `there` is called at every second ping, on the
  // worker's thread, as long as the client is there.
  EventStream(Answer answer, EventFormat format, std::string position, std::function<void()> there);

  // Any thread.
  void answer(const Ending& ending) override EXCLUDES(mutex_);
  void refuse(const Error& error) override EXCLUDES(mutex_);
  Taken write(const Portion& portion) override EXCLUDES(mutex_);
  bool when_gone(std::weak_ptr<PeerListener> listener) override EXCLUDES(mutex_);

  // The worker's thread. Writes a comment unless the stream wrote something since the last ping.
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

// Refuses a request for a stream before there is an EventStream.
void refuse_stream(Answer& answer, const Error& error);

}  // namespace letterbox
