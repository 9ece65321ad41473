// SPDX-License-Identifier: MIT
//
// What one call to /push is to deliver: messages, each with those it is for.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/error.h"

namespace letterbox {

// One that a message is for, as its sender wrote it.
struct Recipient {
  enum class Kind : char { user, group, everybody, bad_user, bad_group };

  // `group:NAME` is a group, `*` everybody who is online, all else a user.
  static Recipient parse(std::string text);

  // Of one that stands for others: its own name is nobody's.
  bool stands_for_many() const { return kind == Kind::group || kind == Kind::everybody; }
  // Of a group.
  std::string_view group() const;

  std::string text;
  Kind kind;
};

// One message for several; or what was wrong with it.
struct Letter {
  Or<std::string> element;  // as model/message.h makes it
  std::vector<Recipient> to;
};

struct Mail {
  bool many = false;       // answered by a list
  bool broadcast = false;  // a group or everybody is among those it is for: answered by a summary
  std::vector<Letter> letters;

  size_t recipients() const;
  // What all of it takes up in the store.
  size_t stored_bytes() const;
};

// More is in memory for calls like this one than may be.
Error overloaded();

// Bytes that are in memory for calls whose outcome is not known yet: what this one has of them.
// They are counted for a worker, so for its thread alone.
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

  // False where it would be more than that, and others hold a part of it: nothing was added then.
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
