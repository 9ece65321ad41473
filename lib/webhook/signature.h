// SPDX-License-Identifier: MIT
//
// The secrets with which posts are signed, as Standard Webhooks 1.0 has it
// (https://www.standardwebhooks.com): HMAC-SHA256. Constant after construction, for any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace letterbox {

class WebhookSecrets {
 public:
  // The contents of --webhook-secret-file: `whsec_` and 24 to 64 bytes in base64. On a second line
  // the secret before it, while the receiver learns of the new one: posts are signed with both. The
  // error is a sentence about the file, and quotes nothing from it.
  static Result<WebhookSecrets, std::string> parse(std::string_view file);

  // The value of the header webhook-signature: "v1,BASE64", one for each secret.
  std::string sign(std::string_view id, uint64_t timestamp_seconds, std::string_view body) const;

 private:
  explicit WebhookSecrets(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {}

  std::vector<std::string> secrets_;
};

}  // namespace letterbox
