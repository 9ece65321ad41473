// SPDX-License-Identifier: MIT
//
// A request that arrives in pieces, put together: its parameters and its body, no more of either
// than is allowed, whatever the peer sends.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "fastcgi/records.h"

namespace letterbox {

class Gathering {
 public:
  explicit Gathering(size_t body_max);

  // How many bytes to read next: never beyond the end of the request.
  size_t wants() const { return left_; }

  // They have come. Never padded. REQUIRES: no more than it wants; not whole or broken yet.
  Arrival take(std::span<const unsigned char> bytes);

  // Once whole: the records of the request without its body, for libfcgi to read.
  std::string head() const;
  // The parameters were longer than kParamsMax: they were dropped.
  bool head_too_large() const { return head_too_large_; }

  std::string take_body() { return std::move(body_); }
  bool body_too_large() const { return body_too_large_; }

 private:
  enum class Part { record_head, content, padding };

  Arrival begin_record();
  bool keep(std::span<const unsigned char> content);
  Arrival go_on();
  Arrival expect(Part part, size_t bytes);

  const size_t body_max_;
  Part part_ = Part::record_head;
  size_t left_ = kRecordHead;  // bytes of that part still to come
  std::string record_head_;    // as far as it has come
  RecordHead record_;          // the one that is arriving
  uint16_t id_ = 0;            // of the request; 0: it has not begun
  PairLengths lengths_;
  std::string begin_;
  std::string params_;
  std::string body_;
  bool head_too_large_ = false;
  bool body_too_large_ = false;
};

}  // namespace letterbox
