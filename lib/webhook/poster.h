// SPDX-License-Identifier: MIT
//
// Posts to the webhook's URL by libcurl, which stays in this folder. Nothing waits for a receiver:
// posts run side by side on one loop, for whose thread alone this is. TLS certificates are checked,
// redirects are not followed, and an answer's body is thrown away.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/loop.h"
#include "base/result.h"

namespace letterbox {

// What --webhook may be: an absolute URL of http or https, without a user's name and password. The
// error is a sentence. `place` is its beginning, such as "https://hooks.example.org": the rest may
// be secret.
struct WebhookUrl {
  static Result<WebhookUrl, std::string> parse(std::string_view text);

  std::string text;
  std::string place;
};

// Whether the receiver can be connected to, TLS included. Nothing is posted. Waits for up to five
// seconds. The error says why not.
Result<void, std::string> try_webhook(const WebhookUrl& url);

class Poster {
 public:
  // How long a post may take, the connection included.
  static constexpr uint64_t kPatienceMs = 15'000;

  struct Post {
    std::string body;                  // JSON
    std::vector<std::string> headers;  // "name: value"
  };
  struct Outcome {
    int status = 0;       // of the answer; 0: none came
    std::string trouble;  // why none came; empty otherwise
  };
  using Then = Callback<void(const Outcome&)>;

  // REQUIRES: both outlive this object. `url` has passed WebhookUrl::parse().
  Poster(Loop& loop, const WebhookUrl& url, std::string agent);
  // Gives up the posts that are under way; their callbacks are not called. REQUIRES: the loop has
  // ended.
  ~Poster();
  Poster(const Poster&) = delete;
  Poster& operator=(const Poster&) = delete;

  void post(Post post, Then then);

 private:
  struct Transfer;
  struct Curl;  // libcurl's callbacks
  class Socket;

  void turn(int fd, int what);
  void finish_what_is_done();

  Loop& loop_;
  const WebhookUrl& url_;
  const std::string agent_;
  void* multi_;
  std::map<void*, std::unique_ptr<Transfer>> transfers_;  // by their easy handle
  std::map<int, std::unique_ptr<Socket>> sockets_;        // those that the loop watches
  std::optional<Loop::Timer> timer_;
};

}  // namespace letterbox
