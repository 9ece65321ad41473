// SPDX-License-Identifier: MIT
//
// The webhook of a program that serves the private face: a thread with a loop, a connection to
// Redis and a Courier, all its own, so that nothing that a receiver does is in a push's way.
// Constructor, stop() and destructor are for the main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "base/config.h"
#include "base/loop.h"
#include "base/result.h"
#include "mailbox/parted_unheard.h"
#include "mailbox/redis_unheard.h"
#include "per_part.h"
#include "program.h"
#include "redis/figures.h"
#include "redis/redis_parts.h"
#include "webhook/courier.h"
#include "webhook/poster.h"
#include "webhook/signature.h"

namespace letterbox {

struct WebhookSettings {
  WebhookUrl url;
  WebhookSecrets secrets;
};
// None without --webhook. The error is a sentence.
Result<std::optional<WebhookSettings>, std::string> webhook_settings(const Config& config);

class Webhook {
 public:
  // All zero in a program without a webhook.
  struct Figures {
    Courier::Figures posts;
    RedisFigures redis;
  };

  // Starts the thread. REQUIRES: the program is open, and outlives this object, as do `figures`.
  Webhook(Program& program, WebhookSettings settings, Figures& figures);
  // Waits a moment for posts under way: what is not answered by then is posted again later.
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  // Begins no further post.
  void stop();

 private:
  const Clock& clock_;
  const WebhookSettings settings_;
  Figures& figures_;
  Loop loop_;
  RedisParts redis_;
  PerPart<Unheard, RedisUnheard, PartedUnheard> unheard_;
  Poster poster_;
  Courier courier_;
  uint64_t stopped_ms_ = 0;  // when stop() was called; steady
  std::thread thread_;
};

}  // namespace letterbox
