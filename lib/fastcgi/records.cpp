// SPDX-License-Identifier: MIT
#include "fastcgi/records.h"

#include <fastcgi.h>

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace letterbox {

namespace {

// The longest content of one record, in bytes: a multiple of 8, so that only the last is padded.
constexpr size_t kRecordMax = 65'528;
static_assert(kRecordMax % 8 == 0 && kRecordMax <= 0xffff);
static_assert(kRecordHead == FCGI_HEADER_LEN && sizeof(FCGI_EndRequestBody) == 8);

void append_header(std::string& out, unsigned char type, uint16_t id, size_t length,
                   size_t padding) {
  assert(length <= 0xffff && padding <= 0xff);
  const unsigned char header[FCGI_HEADER_LEN] = {FCGI_VERSION_1,
                                                 type,
                                                 static_cast<unsigned char>(id >> 8),
                                                 static_cast<unsigned char>(id & 0xff),
                                                 static_cast<unsigned char>(length >> 8),
                                                 static_cast<unsigned char>(length & 0xff),
                                                 static_cast<unsigned char>(padding),
                                                 0};
  out.append(reinterpret_cast<const char*>(header), sizeof header);
}

// The phrase of a status. nginx adds none if the program gives the status.
std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return " OK";
    case 201:
      return " Created";
    case 202:
      return " Accepted";
    case 204:
      return " No Content";
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 405:
      return " Method Not Allowed";
    case 409:
      return " Conflict";
    case 413:
      return " Content Too Large";
    case 429:
      return " Too Many Requests";
    case 431:
      return " Request Header Fields Too Large";
    case 500:
      return " Internal Server Error";
    case 503:
      return " Service Unavailable";
    default:
      return "";
  }
}

enum class Length { told, unknown };

std::string http_head(const Response& response, Length length) {
  std::string head;
  head.reserve(192 + response.headers.size());
  head += "Status: ";
  append_u64(head, static_cast<uint64_t>(response.status));
  head += phrase(response.status);
  head += "\r\nContent-Type: ";
  head += response.content_type;
  if (length == Length::told) {
    head += "\r\nContent-Length: ";
    append_u64(head, response.body.size());
  }
  head +=
      "\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n";
  head += response.headers;
  head += "\r\n";
  return head;
}

// Writes pieces of content as STDOUT records, as if the pieces were one.
class StdoutWriter {
 public:
  StdoutWriter(std::string& out, uint16_t id, size_t total) : out_(out), id_(id), left_(total) {}

  void write(std::string_view piece) {
    while (!piece.empty()) {
      if (room_ == 0) open_record();
      const size_t n = std::min(piece.size(), room_);
      out_.append(piece.substr(0, n));
      piece.remove_prefix(n);
      room_ -= n;
      left_ -= n;
      if (room_ == 0) out_.append(padding_, '\0');
    }
  }

 private:
  void open_record() {
    room_ = std::min(left_, kRecordMax);
    padding_ = (8 - room_ % 8) % 8;
    append_header(out_, FCGI_STDOUT, id_, room_, padding_);
  }

  std::string& out_;
  const uint16_t id_;
  size_t left_;         // content bytes still to come, in all records
  size_t room_ = 0;     // content bytes still to come in the open record
  size_t padding_ = 0;  // bytes that follow the open record's content
};

// Reserves room for what append_end() appends, too.
std::string stdout_records(uint16_t id, std::string_view first, std::string_view second) {
  const size_t total = first.size() + second.size();
  std::string out;
  out.reserve(total + (total / kRecordMax + 3) * (FCGI_HEADER_LEN + 8));
  StdoutWriter writer(out, id, total);
  writer.write(first);
  writer.write(second);
  return out;
}

void append_end(std::string& out, uint16_t id) {
  append_header(out, FCGI_STDOUT, id, 0, 0);
  append_header(out, FCGI_END_REQUEST, id, sizeof(FCGI_EndRequestBody), 0);
  out.append(sizeof(FCGI_EndRequestBody), '\0');  // appStatus 0, FCGI_REQUEST_COMPLETE
}

}  // namespace

std::optional<RecordHead> parse_record_head(std::span<const unsigned char> bytes) {
  assert(bytes.size() >= kRecordHead);
  if (bytes[0] != FCGI_VERSION_1) return std::nullopt;
  return RecordHead{.type = bytes[1],
                    .id = static_cast<uint16_t>(bytes[2] << 8 | bytes[3]),
                    .content = static_cast<size_t>(bytes[4]) << 8 | bytes[5],
                    .padding = bytes[6]};
}

bool PairLengths::take(std::span<const unsigned char> bytes) {
  while (!bytes.empty()) {
    if (text_left_ > 0) {
      const size_t n = std::min(text_left_, bytes.size());
      text_left_ -= n;
      bytes = bytes.subspan(n);
      continue;
    }
    assert(more_ <= 3 && pair_ <= kParamsBytes);
    const size_t byte = bytes.front();
    bytes = bytes.subspan(1);
    // A length has one byte, or four if the first has its highest bit set.
    if (more_ > 0) {
      length_ = length_ << 8 | byte;
      --more_;
    } else {
      length_ = byte & 0x7f;
      more_ = byte > 0x7f ? 3 : 0;
    }
    if (more_ > 0) continue;
    pair_ += length_;
    if (pair_ > kParamsBytes) return false;
    has_name_ = !has_name_;
    if (!has_name_) text_left_ = std::exchange(pair_, 0);
  }
  return true;
}

// libfcgi forgets a record's padding when it goes on to the next stream (SetReaderType() in
// fcgiapp.c): behind BEGIN_REQUEST, and at the ends of PARAMS and STDIN. It then takes the padding
// for the head of the next record. Such requests are gathered: Gathering::head() has no padding.
Arrival look_at_request(std::span<const unsigned char> bytes) {
  bool begun = false;
  PairLengths lengths;
  while (bytes.size() >= FCGI_HEADER_LEN) {
    const auto record = parse_record_head(bytes);
    if (!record) return Arrival::broken;
    const auto type = record->type;
    if (!begun && type != FCGI_BEGIN_REQUEST && type != FCGI_GET_VALUES) return Arrival::broken;
    begun = begun || type == FCGI_BEGIN_REQUEST;
    if (record->padding > 0 && (type == FCGI_BEGIN_REQUEST || record->content == 0)) {
      return Arrival::padded;
    }
    const size_t whole = FCGI_HEADER_LEN + record->content + record->padding;
    if (bytes.size() < whole) return Arrival::partial;
    if (type == FCGI_STDIN && record->content == 0) {
      return bytes.size() == whole ? Arrival::whole : Arrival::broken;
    }
    const auto content = bytes.subspan(FCGI_HEADER_LEN, record->content);
    if (type == FCGI_PARAMS && !lengths.take(content)) return Arrival::broken;
    bytes = bytes.subspan(whole);
  }
  return Arrival::partial;
}

void append_records(std::string& out, uint8_t type, uint16_t id, std::string_view content) {
  do {
    const auto piece = content.substr(0, kRecordMax);
    append_header(out, type, id, piece.size(), 0);
    out += piece;
    content.remove_prefix(piece.size());
  } while (!content.empty());
}

std::string answer_records(uint16_t request_id, const Response& response) {
  const std::string_view body = response.without_body ? std::string_view() : response.body;
  std::string out = stdout_records(request_id, http_head(response, Length::told), body);
  append_end(out, request_id);
  return out;
}

std::string begin_records(uint16_t request_id, const Response& response) {
  return stdout_records(request_id, http_head(response, Length::unknown), response.body);
}

std::string more_records(uint16_t request_id, std::string_view text) {
  return stdout_records(request_id, text, {});
}

std::string end_records(uint16_t request_id) {
  std::string out;
  append_end(out, request_id);
  return out;
}

std::string farewell_record(uint16_t request_id) {
  std::string out;
  append_header(out, FCGI_STDERR, request_id, 0, 0);
  return out;
}

}  // namespace letterbox
