// SPDX-License-Identifier: MIT
//
// FastCGI records on the wire: https://fastcgi-archives.github.io/FastCGI_Specification.html
// Layouts are those of libfcgi's fastcgi.h. Reading a request is libfcgi's work; what is here is
// what libfcgi can't do: seeing whether a request is whole before reading it, and answering one
// later.
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
  padded,   // libfcgi would misread it: it is to be gathered
  broken,   // no FastCGI peer would send this
};

struct RecordHead {
  uint8_t type = 0;
  uint16_t id = 0;
  size_t content = 0;
  size_t padding = 0;
};

// Its bytes on the wire.
inline constexpr size_t kRecordHead = 8;

// REQUIRES: at least that many bytes. Nothing where they are of another version.
std::optional<RecordHead> parse_record_head(std::span<const unsigned char> bytes);

// The longest parameters that are taken, all together, in bytes: twice what nginx takes of a
// client's headers if it has the largest buffers that server.conf speaks of.
inline constexpr size_t kParamsMax = 262'144;

// Follows the names and values in a stream of parameters. libfcgi trusts the lengths they announce,
// and takes that much memory before any of it has come.
class PairLengths {
 public:
  // The next bytes of the stream. False where one announces more than all may have.
  bool take(std::span<const unsigned char> bytes);

 private:
  size_t length_ = 0;      // the one that is being read
  unsigned more_ = 0;      // bytes it still wants
  size_t pair_ = 0;        // name and value together, as far as is known
  bool has_name_ = false;  // the name's length is known
  size_t text_left_ = 0;   // of the name and the value
};

// Appends content as records of a type, as many as it takes; empty content is one empty record.
void append_records(std::string& out, uint8_t type, uint16_t id, std::string_view content);

// Looks at all bytes that have come on a connection. A request with more behind it is broken: a
// peer asks anew when it has been answered.
Arrival look_at_request(std::span<const unsigned char> bytes);

// The three records that answer a request: STDOUT with headers and body (several where they are
// longer than a record holds), the end of STDOUT, END_REQUEST.
std::string answer_records(uint16_t request_id, const Response& response);

// The same in parts: the head and the first of the body, whose length nobody knows yet; more of the
// body, which is not empty; and the end.
std::string begin_records(uint16_t request_id, const Response& response);
std::string more_records(uint16_t request_id, std::string_view text);
std::string end_records(uint16_t request_id);

// Has nginx give up a kept connection, of which `request_id` was the last request: an empty STDERR
// record. Behind an answer, or on a connection that rests, it is more than nginx expects there, and
// it closes; in front of an answer, where nginx has just sent a request, it means nothing at all.
std::string farewell_record(uint16_t request_id);

}  // namespace letterbox
