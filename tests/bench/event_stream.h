// SPDX-License-Identifier: MIT
//
// Server-Sent Events as they come to a client: lines that end in LF, and data of one line.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace letterbox::bench {

/// The body of an answer that goes on: chunked, or everything until the server closes.
class StreamBody {
 public:
  explicit StreamBody(bool chunked) : chunked_(chunked) {}

  /// /// Takes the bytes at the front of `bytes`, like take_chunk. `events` are those that are
  /// whole now: they point into `bytes`, or into `joined` if one of them began in an earlier part.
  ptrdiff_t take(std::string_view bytes, std::string_view& events, std::string& joined);
  /// The last chunk was taken.
  bool ended() const { return ended_; }

 private:
  std::string_view whole_events(std::string_view text, std::string& joined);

  bool chunked_;
  bool ended_ = false;
  std::string rest_;  // the front of an event that isn't whole yet
};

struct ServerEvent {
  std::string_view id;
  std::string_view type;
  std::string_view data;
};

/// /// Takes the first of `events`, each of which is whole; fields that it does not have are empty,
/// and comments are skipped. False: there is none left.
bool take_event(std::string_view& events, ServerEvent& event);

}  // namespace letterbox::bench
