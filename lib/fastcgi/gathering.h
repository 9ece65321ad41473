// SPDX-License-Identifier: MIT
//
// Puts together a request that arrives in pieces: its parameters and its body, neither longer than
// is allowed, whatever the peer sends. For the slow reader; touches no socket.
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

  // Takes the bytes that were read. The result is never Arrival::padded. REQUIRES: at most wants()
  // bytes; the request is not yet whole or broken.
  Arrival take(std::span<const unsigned char> bytes);

  // Once whole: the records of the request without its body, for libfcgi to read.
  std::string head() const;
  // The parameters were longer than kParamsBytes: they were dropped.
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
  size_t left_ = kRecordHead;  // bytes of `part_` still to come
  std::string record_head_;    // its bytes so far
  RecordHead record_;          // of the record that is arriving
  uint16_t id_ = 0;            // of the request; 0: it has not begun
  PairLengths lengths_;
  std::string begin_;
  std::string params_;
  std::string body_;
  bool head_too_large_ = false;
  bool body_too_large_ = false;
};

}  // namespace letterbox
