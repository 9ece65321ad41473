// SPDX-License-Identifier: MIT
#include "requests/push_guard.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/random.h"
#include "requests/bearer.h"
#include "requests/origins.h"
#include "requests/reply.h"
#include "secret/digest.h"

namespace letterbox {
namespace {

bool is_push(const Request& request) { return request.path == "/push" && request.method == "POST"; }

bool is_open_to_all(const Request& request) {
  return request.path == "/healthz" || request.path == "/readyz";
}

}  // namespace

PushGuard::PushGuard(std::vector<PushKey> keys, uint64_t pushes_a_second, const Clock& clock,
                     Log& log)
    : keys_(std::move(keys)), clock_(clock), log_(log) {
  const size_t limits = std::max<size_t>(keys_.size(), 1);
  for (size_t i = 0; i < limits; ++i) limits_.emplace_back(pushes_a_second);
  figures_.emplace_back();
  for (const PushKey& key : keys_) {
    const auto known = std::find_if(figures_.begin(), figures_.end(), [&](const Figures& figures) {
      return figures.key == key.name;
    });
    if (known == figures_.end()) figures_.emplace_back().key = key.name;
    figures_of_.push_back(known == figures_.end() ? &figures_.back() : &*known);
  }
}

std::string_view PushGuard::name(Outcome outcome) {
  constexpr std::array kCodes{Code::cross_site, Code::forwarded, Code::bad_key, Code::wrong_scope,
                              Code::too_fast};
  static_assert(kCodes.size() + 1 == kOutcomes);
  const auto index = static_cast<size_t>(outcome);
  return index == 0 ? "admitted" : info(kCodes.at(index - 1)).name;
}

bool PushGuard::admits(const Request& request, Answer& answer) {
  if (is_open_to_all(request)) return true;
  Figures& nobodys = figures_.front();
  if (keys_.empty() && (is_cross_site(request) || is_cross_origin(request))) {
    return refuse(nobodys, Outcome::cross_site,
                  {Code::cross_site,
                   "a page of another site asks, and this server has no key (--key-file) by which "
                   "it could know who may"},
                  "a page of another site", answer);
  }
  if (keys_.empty() && !request.forwarded.empty()) {
    return refuse(nobodys, Outcome::forwarded,
                  {Code::forwarded,
                   "a proxy has forwarded this request, or it is of HTTP/1.0, as many proxies "
                   "speak, and this server has no key (--key-file) by which it could know who may. "
                   "Ask it without a proxy by HTTP/1.1"},
                  "what a proxy has forwarded", answer);
  }
  const auto key = key_of(request);
  if (!key) {
    return refuse(nobodys, Outcome::bad_key,
                  {Code::bad_key, "this server wants its key: Authorization: Bearer KEY"},
                  "a request without a right key", answer);
  }
  Figures& figures = keys_.empty() ? nobodys : *figures_of_.at(*key);
  const Scope scope = scope_of(request);
  if (!keys_.empty() && !keys_[*key].has(scope)) {
    const std::string wants = "the scope '" + std::string(letterbox::name(scope)) + "'";
    return refuse(figures, Outcome::wrong_scope,
                  {Code::wrong_scope, "this needs a key that has " + wants},
                  "the key '" + figures.key + "', which has not " + wants, answer);
  }
  const uint64_t wait_ms = is_push(request) ? limits_.at(*key).take(clock_.steady_us()) : 0;
  if (wait_ms > 0) {
    // The random part spreads the retries, as everywhere.
    return refuse(figures, Outcome::too_fast,
                  {Code::too_fast, "more pushes a second than are allowed",
                   static_cast<int>(wait_ms + random_below(1000))},
                  figures.key.empty() ? "a push" : "a push by the key '" + figures.key + "'",
                  answer);
  }
  figures.outcomes.front().add(1);
  return true;
}

// Always false. `who` must not come from outside: the log counts refusals whose text is the same.
bool PushGuard::refuse(Figures& figures, Outcome outcome, const Error& error, std::string_view who,
                       Answer& answer) {
  figures.outcomes.at(static_cast<size_t>(outcome)).add(1);
  log_.error("refused ", who, ": ", info(error.code).status, " ", name(outcome));
  answer.send(to_response(error));
  return false;
}

// The index of the key that the request shows, which is also the index of its limit. All keys are
// compared, also after a match.
std::optional<size_t> PushGuard::key_of(const Request& request) const {
  if (keys_.empty()) return 0;
  const auto given = bearer(request.authorization);
  if (!given) return std::nullopt;
  std::optional<size_t> found;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (same_secret(keys_[i].secret, *given)) found = i;
  }
  return found;
}

}  // namespace letterbox
