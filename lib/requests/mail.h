// SPDX-License-Identifier: MIT
//
// The messages that one call to /push delivers, each with its recipients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/idempotency.h"
#include "mailbox/store.h"
#include "model/error.h"

namespace letterbox {

// A recipient of a message, as the sender wrote it.
struct Recipient {
  enum class Kind : char { user, group, everybody, bad_user, bad_group };

  // `group:NAME` is a group. `*` is every user who is online. Any other text is a user.
  static Recipient parse(std::string text);

  // True if the recipient is a group or `*`: its text is then no user's name.
  bool stands_for_many() const { return kind == Kind::group || kind == Kind::everybody; }
  // The group's name. REQUIRES: kind == Kind::group.
  std::string_view group() const;

  std::string text;
  Kind kind;
};

// One message for one or several recipients; or the error of that message.
struct Letter {
  Or<std::string> element;  // as model/message.h makes it
  std::vector<Recipient> to;
  PushOptions options = {};
  uint64_t due_ms = 0;             // when it is to be pushed, since 1970; 0: at once
  std::optional<KeyUse> key = {};  // its own Idempotency-Key
};

struct Mail {
  bool many = false;       // the answer is a list
  bool broadcast = false;  // the recipients include a group or `*`: the answer is a summary
  std::vector<Letter> letters;
  std::optional<KeyUse> key = {};  // the Idempotency-Key of the whole call

  size_t recipients() const;
  // The bytes that all messages take up in the store.
  size_t stored_bytes() const;
};

// The error for a call that would exceed the memory that a worker has for pushes.
Error overloaded();

// One call's part of the bytes that a worker holds in memory for calls without an outcome yet. For
// that worker's thread only.
class Held {
 public:
  explicit Held(std::shared_ptr<size_t> all) : all_(std::move(all)) {}
  ~Held() {
    if (all_) *all_ -= own_;
  }
  Held(Held&& other) noexcept : all_(std::move(other.all_)), own_(std::exchange(other.own_, 0)) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  Held& operator=(Held&&) = delete;

  // Adds `bytes`. Returns false, and adds nothing, if all calls would then hold more than `most`
  // and other calls hold a part of it.
  bool add(size_t bytes, size_t most) {
    if (*all_ > own_ && *all_ + bytes > most) return false;
    *all_ += bytes;
    own_ += bytes;
    return true;
  }

 private:
  std::shared_ptr<size_t> all_;
  size_t own_ = 0;
};

}  // namespace letterbox
