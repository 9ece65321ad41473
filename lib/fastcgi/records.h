// SPDX-License-Identifier: MIT
//
// FastCGI records on the wire: https://fastcgi-archives.github.io/FastCGI_Specification.html
// Layouts are those of libfcgi's fastcgi.h. libfcgi reads the requests. This file does what libfcgi
// can't do: see whether a request is whole before it is read, and answer a request later. Pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fastcgi/answer.h"

namespace letterbox {

enum class Arrival {
  whole,    // BEGIN_REQUEST to the end of STDIN is there
  partial,  // more must come
  padded,   // libfcgi would misread it: the slow reader must gather it
  broken,   // no FastCGI peer would send this
};

struct RecordHead {
  uint8_t type = 0;
  uint16_t id = 0;
  size_t content = 0;
  size_t padding = 0;
};

// The length of a record's head on the wire, in bytes.
inline constexpr size_t kRecordHead = 8;

// Nothing if the record is of another FastCGI version. REQUIRES: at least kRecordHead bytes.
std::optional<RecordHead> parse_record_head(std::span<const unsigned char> bytes);

// Follows the names and values in a stream of parameters. libfcgi trusts the lengths they announce,
// and takes that much memory before any of it has come.
class PairLengths {
 public:
  // Takes the next bytes of the stream. False: a pair announces more than kParamsMax bytes.
  bool take(std::span<const unsigned char> bytes);

 private:
  size_t length_ = 0;      // the length that is being read
  unsigned more_ = 0;      // bytes of it still to come
  size_t pair_ = 0;        // length of name and value together, as far as it is known
  bool has_name_ = false;  // the name's length is known
  size_t text_left_ = 0;   // bytes of name and value still to come
};

// Appends content as one or several records of a type. Empty content is one empty record.
void append_records(std::string& out, uint8_t type, uint16_t id, std::string_view content);

// Looks at all bytes that have come on a connection. A request with more bytes behind it is broken:
// a peer sends the next request when this one is answered.
Arrival look_at_request(std::span<const unsigned char> bytes);

// The records that answer a request: STDOUT with headers and body (several records if they are
// longer than one can hold), the end of STDOUT, END_REQUEST.
std::string answer_records(uint16_t request_id, const Response& response);

// The same in parts: the head and the first part of the body, whose length is not known yet; more
// of the body, which is not empty; and the end.
std::string begin_records(uint16_t request_id, const Response& response);
std::string more_records(uint16_t request_id, std::string_view text);
std::string end_records(uint16_t request_id);

// An empty STDERR record that makes nginx close a kept connection; `request_id` was the last
// request on it. Behind an answer, or on an idle connection, nginx does not expect a record, and
// closes. In front of an answer, if nginx has just sent a request, the record means nothing.
std::string farewell_record(uint16_t request_id);

}  // namespace letterbox
