// SPDX-License-Identifier: MIT
#include "webhook.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "scripts.h"
#include "settings.h"

namespace letterbox {

namespace {

constexpr size_t kPostsAtOnce = 16;
// How long after the end of the program has begun its posts may still be answered.
constexpr uint64_t kLastPostsMs = 1000;

static_assert(kLastPostsMs < kDrainMs, "posts hold up no end");

// Each post has its message in memory: the longer messages may be, the fewer posts at once.
Courier::Rules courier_rules(const Config& config, const WebhookUrl& url) {
  const auto longest = static_cast<size_t>(config.integer("body-max"));
  return {.place = url.place,
          .after_ms = mailbox_limits(config).webhook_ms,
          .at_once = std::clamp<size_t>(kInHandBytes / longest, 1, kPostsAtOnce)};
}

}  // namespace

Result<std::optional<WebhookSettings>, std::string> webhook_settings(const Config& config) {
  using Found = std::optional<WebhookSettings>;
  if (config.text("webhook").empty()) return Found();
  auto url = WebhookUrl::parse(config.text("webhook"));
  if (!url) return "--webhook: " + url.error();
  if (config.text("webhook-secret-file").empty()) {
    return std::string("--webhook needs --webhook-secret-file: posts are signed");
  }
  auto secrets = WebhookSecrets::parse(config.secret("webhook-secret-file"));
  if (!secrets) return "--webhook-secret-file: " + secrets.error();
  return Found(WebhookSettings{std::move(*url), std::move(*secrets)});
}

Webhook::Webhook(Program& program, WebhookSettings settings, Figures& figures)
    : clock_(program.clock()),
      settings_(std::move(settings)),
      figures_(figures),
      loop_(program.clock()),
      redis_(loop_, program.login(), program.log(), "letterbox-webhook", lua::reign, places(),
             {.figures = &figures.redis}),
      unheard_(redis_.all(),
               [&](Redis& part) { return std::make_unique<RedisUnheard>(part, program.clock()); }),
      poster_(loop_, settings_.url, "letterbox/" + std::string(kVersion)),
      courier_(loop_, unheard_.all(), program.clock(), program.log(), settings_.secrets,
               courier_rules(program.config(), settings_.url), figures.posts,
               [this](Poster::Post post, Poster::Then then) {
                 poster_.post(std::move(post), std::move(then));
               }) {
  redis_.start();
  courier_.start();
  thread_ = std::thread([this] { loop_.run(); });
}

Webhook::~Webhook() {
  if (stopped_ms_ == 0) stop();
  while (figures_.posts.under_way.value() > 0 && clock_.steady_ms() < stopped_ms_ + kLastPostsMs) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  loop_.stop();
  thread_.join();
}

void Webhook::stop() {
  stopped_ms_ = clock_.steady_ms();
  loop_.post([this] { courier_.stop(); });
}

}  // namespace letterbox
