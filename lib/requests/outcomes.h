// SPDX-License-Identifier: MIT
//
// Gathers the outcome of each recipient of a call, and answers when the last outcome is known.
// fcgi/PROTOCOL.md has the shapes of the answers. For one worker's thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "fastcgi/answer.h"
#include "mailbox/calendar.h"
#include "mailbox/store.h"
#include "model/error.h"

namespace letterbox {

class Outcomes {
 public:
  enum class Shape {
    single,   // the outcome of the only recipient
    list,     // the outcome of each recipient
    summary,  // numbers, and each outcome if there are few recipients; else only failures
  };

  using Then = Callback<void(Response)>;

  // If there are no recipients, `then` gets the answer at once.
  Outcomes(Shape shape, size_t recipients, Then then);

  // `at` is the recipient's index in the call.
  void settle(size_t at, std::string_view to, const Or<Pushed>& outcome);
  void settle(size_t at, std::string_view to, const Or<Scheduled>& outcome);

 private:
  template <class T>
  void add(size_t at, std::string_view to, const Or<T>& outcome);
  template <class T>
  void count(const Or<T>& outcome);
  void finish();

  const Shape shape_;
  const size_t recipients_;
  const bool keeps_all_;  // else at most 100 failures
  Then then_;

  size_t accepted_ = 0;
  size_t waiting_ = 0;
  size_t replayed_ = 0;
  size_t failed_ = 0;
  int status_ = 0;  // the highest of all outcomes
  int retry_ms_ = 0;
  std::vector<std::string> texts_;  // JSON
};

}  // namespace letterbox
