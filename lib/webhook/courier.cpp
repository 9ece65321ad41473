// SPDX-License-Identifier: MIT
#include "webhook/courier.h"

#include <array>
#include <cassert>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"
#include "base/text.h"
#include "model/message.h"
#include "webhook/event.h"

namespace letterbox {

namespace {

// The pause between two looks.
constexpr uint64_t kEveryMs = 250;
// After a failed look.
constexpr uint64_t kRetryMs = 1000;

// The waits after each failed post, as Standard Webhooks proposes: after the last one the message
// is given up. Each is longer by up to a tenth, so that what failed together comes apart.
constexpr std::array<uint64_t, 5> kBackOffMs{5 * kSecondMs, 300 * kSecondMs, 1800 * kSecondMs,
                                             7200 * kSecondMs, 18'000 * kSecondMs};

static_assert(2 * Poster::kPatienceMs <= kUnheardLeaseMs, "a post ends before its lease");

}  // namespace

Courier::Courier(Loop& loop, Unheard& unheard, const Clock& clock, Log& log,
                 const WebhookSecrets& secrets, Rules rules, Figures& figures, Send send)
    : loop_(loop),
      unheard_(unheard),
      clock_(clock),
      log_(log),
      secrets_(secrets),
      rules_(std::move(rules)),
      figures_(figures),
      send_(std::move(send)) {
  assert(rules_.at_once > 0);
}

// With all posts under way, the first that ends looks.
void Courier::look() {
  if (stopped_ || looking_ || under_way_ == rules_.at_once) return;
  if (next_look_) loop_.cancel(*std::exchange(next_look_, std::nullopt));
  looking_ = true;
  const size_t most = rules_.at_once - under_way_;
  unheard_.lease(most, [this, most](const Or<Unheard::Leased>& found) {
    looking_ = false;
    has_more_ = found && (found->entries.size() == most || found->dropped > 0);
    if (found) leased(*found);
    look_in(!found ? kRetryMs : has_more_ ? 0 : kEveryMs);
  });
}

void Courier::look_in(uint64_t ms) {
  if (looking_) return;
  if (next_look_) loop_.cancel(*next_look_);
  next_look_ = loop_.at(loop_.clock().steady_ms() + ms, [this] {
    next_look_.reset();
    look();
  });
}

void Courier::leased(const Unheard::Leased& leased) {
  figures_.waiting.set(static_cast<int64_t>(leased.waiting));
  if (leased.dropped > 0) {
    rare<"more messages wait for the webhook than are kept">();
    figures_.dropped.add(leased.dropped);
    log_.warn("the webhook at ", rules_.place, " is too slow: the oldest messages are dropped");
  }
  under_way_ += leased.entries.size();
  figures_.under_way.set(static_cast<int64_t>(under_way_));
  assert(under_way_ <= rules_.at_once);
  for (const auto& entry : leased.entries) carry(entry);
}

void Courier::carry(const UnheardEntry& entry) {
  unheard_.look(entry, [this, entry](const Or<std::optional<std::string>>& found) {
    if (!found) {
      rare<"a message for the webhook can't be read">();
      failed(entry);
    } else if (*found) {
      post(entry, **found);
    } else {
      figures_.heard.add();
      unheard_.remove(entry);
      one_less();
    }
  });
}

void Courier::post(const UnheardEntry& entry, const std::string& element) {
  const auto parsed = parse_element(element);
  assert(parsed);  // Unheard::look() yields no other
  const std::string id = webhook_id(entry.user, entry.id);
  const uint64_t now_s = clock_.wall_ms() / kSecondMs;
  std::string body = unheard_event(entry.user, entry.id, parsed->body, rules_.after_ms);
  std::vector<std::string> headers{"webhook-id: " + id,
                                   "webhook-timestamp: " + std::to_string(now_s),
                                   "webhook-signature: " + secrets_.sign(id, now_s, body)};
  send_({std::move(body), std::move(headers)},
        [this, entry](const Poster::Outcome& outcome) { answered(entry, outcome); });
}

void Courier::answered(const UnheardEntry& entry, const Poster::Outcome& outcome) {
  constexpr int kGone = 410;
  if (outcome.status >= 200 && outcome.status < 300) {
    figures_.taken.add();
  } else if (outcome.status == kGone) {
    rare<"the webhook refuses a message for good">();
    figures_.refused.add();
  } else {
    figures_.failed.add();
    log_.warn("the webhook at ", rules_.place, " fails: ",
              outcome.status != 0 ? "status " + std::to_string(outcome.status) : outcome.trouble);
    return failed(entry);
  }
  unheard_.remove(entry);
  one_less();
}

void Courier::failed(const UnheardEntry& entry) {
  if (entry.tries > kBackOffMs.size()) {
    rare<"a message for the webhook is given up">();
    figures_.given_up.add();
    log_.warn("a message for the webhook at ", rules_.place, " is given up");
    unheard_.remove(entry);
  } else {
    assert(entry.tries > 0);
    const uint64_t wait = kBackOffMs.at(entry.tries - 1);
    unheard_.put_off(entry, wait + random_below(wait / 10));
  }
  one_less();
}

void Courier::one_less() {
  assert(under_way_ > 0);
  const bool was_full = under_way_-- == rules_.at_once;
  figures_.under_way.set(static_cast<int64_t>(under_way_));
  if (was_full || has_more_) look_in(0);
}

}  // namespace letterbox
