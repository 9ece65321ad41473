// SPDX-License-Identifier: MIT
#include "handlers/push_guard.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "handlers/bearer.h"
#include "handlers/origins.h"
#include "handlers/reply.h"
#include "secret/digest.h"

namespace letterbox {
namespace {

constexpr size_t kKeysMost = 2;
constexpr size_t kKeyBytesLeast = 16;

// Takes the first line off `rest`, its end included.
std::string_view next_line(std::string_view& rest) {
  std::string_view line = take_until(rest, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Whether a header can carry it as it is.
bool is_plain(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool is_push(const Request& request) { return request.path == "/push" && request.method == "POST"; }

bool is_open_to_all(const Request& request) {
  return request.path == "/healthz" || request.path == "/readyz";
}

}  // namespace

Result<std::vector<std::string>, std::string> parse_push_keys(std::string_view file) {
  std::vector<std::string> keys;
  while (!file.empty()) {
    const std::string_view key = next_line(file);
    if (key.size() < kKeyBytesLeast) return "a key has at least 16 characters";
    if (!is_plain(key)) return "a key is made of printable ASCII, without blanks";
    keys.emplace_back(key);
  }
  if (keys.empty()) return "there is no key in it";
  if (keys.size() > kKeysMost) return "there are more than two keys in it";
  return keys;
}

PushGuard::PushGuard(std::vector<std::string> keys, uint64_t pushes_a_second, const Clock& clock)
    : keys_(std::move(keys)), clock_(clock) {
  const size_t limits = std::max<size_t>(keys_.size(), 1);
  for (size_t i = 0; i < limits; ++i) limits_.emplace_back(pushes_a_second);
}

bool PushGuard::admits(const Request& request, Answer& answer) {
  if (is_open_to_all(request)) return true;
  if (keys_.empty() && (is_cross_site(request) || is_cross_origin(request))) {
    answer.send(to_response({Code::cross_site,
                             "a page of another site asks, and this server has no key (--key-file) "
                             "by which it could know who may"}));
    return false;
  }
  const auto key = key_of(request);
  if (!key) {
    answer.send(
        to_response({Code::bad_key, "this server wants its key: Authorization: Bearer KEY"}));
    return false;
  }
  if (!is_push(request)) return true;
  const uint64_t wait_ms = limits_[*key].take(clock_.steady_us());
  if (wait_ms == 0) return true;
  // Spread, as all retries are.
  answer.send(to_response({Code::too_fast, "more pushes a second than are allowed",
                           static_cast<int>(wait_ms + random_below(1000))}));
  return false;
}

// Which limit is whose. All keys are compared, whichever it is.
std::optional<size_t> PushGuard::key_of(const Request& request) const {
  if (keys_.empty()) return 0;
  const auto given = bearer(request.authorization);
  if (!given) return std::nullopt;
  std::optional<size_t> found;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (same_secret(keys_[i], *given)) found = i;
  }
  return found;
}

}  // namespace letterbox
