// SPDX-License-Identifier: MIT
//
// Writes one JSON document, commas and escapes included:
//
//     JsonWriter json;
//     json.begin_object().key("queued").number(2).key("oldest").null().end_object();
//     return json.take();
//
// For one thread. REQUIRES: the order of calls makes JSON; texts are well-formed UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace letterbox {

class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(JsonWriter&&) noexcept;
  JsonWriter& operator=(JsonWriter&&) noexcept;

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& number(int64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // Writes null for 0: a time that is not set.
  JsonWriter& number_or_null(uint64_t value);
  // Writes null for an empty text.
  JsonWriter& string_or_null(std::string_view text);
  // Writes `json`, which must be one JSON value, as it is.
  JsonWriter& raw(std::string_view json);

  // Returns the document. The writer is then ready for another.
  std::string take();

 private:
  struct State;  // keeps RapidJSON out of this header
  std::unique_ptr<State> state_;
};

// `utf8`, which must be well-formed, as a JSON string with its quotes.
std::string json_string(std::string_view utf8);
void append_json_string(std::string& out, std::string_view utf8);

}  // namespace letterbox
