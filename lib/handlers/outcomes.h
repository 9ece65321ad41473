// SPDX-License-Identifier: MIT
//
// Gathers what became of each recipient of a call, and answers when the last one is known. The
// shapes of the answers are in fcgi/PROTOCOL.md. For one worker's thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "fastcgi/answer.h"
#include "mailbox/store.h"
#include "model/error.h"

namespace letterbox {

class Outcomes {
 public:
  enum class Shape {
    single,   // of the only recipient
    list,     // of each
    summary,  // how many; and of each where they are few, else of those that failed
  };

  using Then = Callback<void(Response)>;

  // Where there are no recipients, `then` gets the answer at once.
  Outcomes(Shape shape, size_t recipients, Then then);

  // `at`: which of the recipients, in their order.
  void settle(size_t at, std::string_view to, const Or<Pushed>& outcome);

 private:
  void count(const Or<Pushed>& outcome);
  void keep(size_t at, std::string text);
  void finish();

  const Shape shape_;
  const size_t recipients_;
  const bool keeps_all_;  // else no more than some that failed
  Then then_;

  size_t accepted_ = 0;
  size_t waiting_ = 0;
  size_t failed_ = 0;
  int status_ = 0;  // the worst
  int retry_ms_ = 0;
  std::vector<std::string> texts_;  // JSON
};

}  // namespace letterbox
