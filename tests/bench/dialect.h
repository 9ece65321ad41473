// SPDX-License-Identifier: MIT
//
// The protocols, side by side: how a push and a poll are requested, and what a poll's answer says.
// In a dialect of streams an answer goes on: each part of it is read as a poll's answer is. For the
// generator's one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http.h"

namespace letterbox::bench {

struct Letter {
  std::string_view user;
  std::string_view body;
};

struct PollReading {
  enum Kind {
    messages,
    nothing,  // it timed out, or was told to come again
    step,     // nothing to count: an answer to a handshake or a heartbeat, a ping in a stream
    refused,
  };
  Kind kind = refused;
  uint32_t retry_after_ms = 0;
  uint64_t missed = 0;  // messages the server says were dropped
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  /// /// A client's next request. `cursor` is the one that read_poll left; empty: from the oldest
  /// message.
  virtual void append_poll(std::string& out, std::string_view user,
                           std::string_view cursor) const = 0;
  virtual void append_push(std::string& out, const Letter& letter) const = 0;

  /// /// A message for all: for a group that each user has joined, or, if there are no groups, for
  /// a channel that all of them poll.
  virtual bool has_groups() const { return false; }
  virtual void append_join(std::string&, std::string_view /*group*/,
                           std::string_view /*user*/) const {}
  virtual void append_broadcast(std::string& out, const Letter& letter) const {
    append_push(out, letter);
  }

  /// One request for as many letters as batch_size() allows; if that is 1 there are no batches.
  virtual size_t batch_size() const { return 1; }
  virtual void append_batch(std::string& out, const std::vector<Letter>& letters) const {
    for (const Letter& letter : letters) append_push(out, letter);
  }

  /// False: a message that is pushed between two polls of a user may be lost.
  virtual bool keeps_between_polls() const { return true; }

  /// Moves the cursor on. `bodies` is replaced; it stays valid until the next call or until the
  /// answer's bytes go.
  virtual PollReading read_poll(const HttpAnswer& answer, std::string& cursor,
                                std::vector<std::string_view>& bodies) = 0;

  /// True: every letter of that push or batch is in the store.
  bool accepted(const HttpAnswer& answer) const {
    return answer.status == 200 || answer.status == 201 || answer.status == 202;
  }
};

std::unique_ptr<Dialect> letterbox_dialect();
std::unique_ptr<Dialect> letterbox_streams();
std::unique_ptr<Dialect> nchan_dialect();
std::unique_ptr<Dialect> nchan_streams();
std::unique_ptr<Dialect> pushpin_dialect();
std::unique_ptr<Dialect> socketio_dialect();

/// /// Reads a part of a stream: the cursor becomes the last event's id, `bodies` the data of
/// events without a type; `named` is called with each that has one.
PollReading read_part(const HttpAnswer& part, std::string& cursor,
                      std::vector<std::string_view>& bodies,
                      void (*named)(const ServerEvent& event, PollReading& reading));

/// The lines that ask for a stream, and end a request's head.
void append_stream_headers(std::string& out, std::string_view cursor);

}  // namespace letterbox::bench
