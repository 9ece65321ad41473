// SPDX-License-Identifier: MIT
#include "fastcgi/gathering.h"

#include <fastcgi.h>

#include <algorithm>
#include <cassert>
#include <string_view>

#include "base/limits.h"

namespace letterbox {

namespace {

std::string_view text(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Appends a piece. If all of it would be longer than `most`, it is too large, and is dropped.
void append_within(std::string& all, std::string_view piece, size_t most, bool& too_large) {
  too_large = too_large || all.size() + piece.size() > most;
  if (!too_large) {
    assert(all.size() + piece.size() <= most);
    all += piece;
  } else if (!all.empty()) {
    all = {};
  }
}

}  // namespace

Gathering::Gathering(size_t body_max) : body_max_(body_max) {}

Arrival Gathering::take(std::span<const unsigned char> bytes) {
  assert(bytes.size() <= left_);
  left_ -= bytes.size();
  if (part_ == Part::record_head) record_head_ += text(bytes);
  if (part_ == Part::content && !keep(bytes)) return Arrival::broken;
  return left_ > 0 ? Arrival::partial : go_on();
}

// The part that was arriving is complete: goes on to the next one.
Arrival Gathering::go_on() {
  switch (part_) {
    case Part::record_head:
      return begin_record();
    case Part::content:
      return expect(Part::padding, record_.padding);
    case Part::padding:
      break;
  }
  if (record_.type == FCGI_STDIN && record_.content == 0) return Arrival::whole;
  return expect(Part::record_head, kRecordHead);
}

Arrival Gathering::expect(Part part, size_t bytes) {
  part_ = part;
  left_ = bytes;
  return left_ > 0 ? Arrival::partial : go_on();
}

// Accepts the records that nginx sends, in nginx' order. libfcgi checks the rest.
Arrival Gathering::begin_record() {
  assert(record_head_.size() == kRecordHead);
  const auto* bytes = reinterpret_cast<const unsigned char*>(record_head_.data());
  const auto head = parse_record_head({bytes, record_head_.size()});
  record_head_.clear();
  if (!head) return Arrival::broken;
  record_ = *head;
  const bool begins = record_.type == FCGI_BEGIN_REQUEST;
  const bool goes_on = record_.type == FCGI_PARAMS || record_.type == FCGI_STDIN;
  if (begins ? id_ != 0 || record_.id == 0 : !goes_on || record_.id != id_) return Arrival::broken;
  id_ = record_.id;
  return expect(Part::content, record_.content);
}

bool Gathering::keep(std::span<const unsigned char> content) {
  switch (record_.type) {
    case FCGI_BEGIN_REQUEST:
      begin_ += text(content);
      return true;
    case FCGI_PARAMS:
      append_within(params_, text(content), kParamsBytes, head_too_large_);
      return head_too_large_ || lengths_.take(content);
    default:
      append_within(body_, text(content), body_max_, body_too_large_);
      return true;
  }
}

std::string Gathering::head() const {
  assert(id_ != 0 && params_.size() <= kParamsBytes && body_.size() <= body_max_);
  std::string out;
  append_records(out, FCGI_BEGIN_REQUEST, id_, begin_);
  if (!params_.empty()) append_records(out, FCGI_PARAMS, id_, params_);
  append_records(out, FCGI_PARAMS, id_, {});
  append_records(out, FCGI_STDIN, id_, {});
  return out;
}

}  // namespace letterbox
