// SPDX-License-Identifier: MIT
//
// FastCGI records as nginx writes and reads them, in as few lines as possible. The numbers are
// those of the specification, so that the code is not compared with itself.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace letterbox::test {

struct Record {
  enum Type : uint8_t {
    begin_request = 1,
    abort_request = 2,
    end_request = 3,
    params = 4,
    in = 5,
    out = 6,
    err = 7,
    get_values = 9
  };

  uint8_t type = out;
  uint16_t id = 1;
  std::string content = {};
  size_t padding = 0;

  std::string bytes() const {
    std::string text;
    for (const size_t byte : {size_t{1}, size_t{type}, size_t{id} >> 8, size_t{id} & 0xff,
                              content.size() >> 8, content.size() & 0xff, padding, size_t{0}}) {
      text += static_cast<char>(byte);
    }
    return text + content + std::string(padding, 'p');
  }
};

// Throws if the bytes are not whole records.
inline std::vector<Record> parse_records(std::string_view bytes) {
  std::vector<Record> records;
  const auto number = [&bytes](size_t i) { return size_t{static_cast<unsigned char>(bytes[i])}; };
  while (!bytes.empty()) {
    if (bytes.size() < 8 || number(0) != 1) throw std::runtime_error("no record");
    const size_t size = number(4) << 8 | number(5);
    const size_t padding = number(6);
    if (bytes.size() < 8 + size + padding) throw std::runtime_error("a record cut short");
    records.push_back({static_cast<uint8_t>(number(1)),
                       static_cast<uint16_t>(number(2) << 8 | number(3)),
                       std::string(bytes.substr(8, size)), padding});
    bytes.remove_prefix(8 + size + padding);
  }
  return records;
}

// What nginx makes of an answer: the head, its lines ended by CR LF, and the body.
struct HttpAnswer {
  std::string head;
  std::string body;

  std::string header(std::string_view name) const {
    const std::string begin = "\r\n" + std::string(name) + ": ";
    const std::string lines = "\r\n" + head;
    const size_t at = lines.find(begin);
    if (at == std::string::npos) return "";
    return lines.substr(at + begin.size(), lines.find("\r\n", at + 2) - at - begin.size());
  }
  int status() const { return std::stoi(header("Status")); }
};

inline HttpAnswer parse_answer(std::string_view bytes) {
  std::string text;
  for (const auto& record : parse_records(bytes)) {
    if (record.type == Record::out) text += record.content;
  }
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) throw std::runtime_error("no end of the headers");
  return {text.substr(0, end + 2), text.substr(end + 4)};
}

}  // namespace letterbox::test
