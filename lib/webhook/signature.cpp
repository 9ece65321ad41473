// SPDX-License-Identifier: MIT
#include "webhook/signature.h"

#include <cassert>
#include <utility>

#include "base/lines.h"
#include "base/text.h"
#include "secret/base64url.h"
#include "secret/digest.h"

namespace letterbox {

namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr size_t kLeastBytes = 24;
constexpr size_t kMostBytes = 64;
constexpr size_t kMostSecrets = 2;

}  // namespace

Result<WebhookSecrets, std::string> WebhookSecrets::parse(std::string_view file) {
  std::vector<std::string> secrets;
  while (!file.empty()) {
    const std::string_view line = take_line(file);
    if (line.empty()) continue;
    if (!line.starts_with(kPrefix)) return "a secret begins with whsec_";
    auto secret = from_base64(line.substr(kPrefix.size()));
    if (!secret || secret->size() < kLeastBytes || secret->size() > kMostBytes) {
      return "a secret is whsec_ and 24 to 64 bytes in base64";
    }
    secrets.push_back(std::move(*secret));
  }
  if (secrets.empty()) return "there is no secret in the file";
  if (secrets.size() > kMostSecrets) return "there are more than two secrets in the file";
  return WebhookSecrets(std::move(secrets));
}

std::string WebhookSecrets::sign(std::string_view id, uint64_t timestamp_seconds,
                                 std::string_view body) const {
  // The id has no full stop, so what is signed can be read in one way only.
  assert(id.find('.') == std::string_view::npos);
  std::string text(id);
  text += '.';
  append_u64(text, timestamp_seconds);
  text += '.';
  text += body;
  std::string header;
  for (const auto& secret : secrets_) {
    if (!header.empty()) header += ' ';
    header += "v1," + base64(hmac_sha256(secret, text));
  }
  return header;
}

}  // namespace letterbox
