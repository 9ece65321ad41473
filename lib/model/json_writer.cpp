// SPDX-License-Identifier: MIT
#include "model/json_writer.h"

#include <rapidjson/writer.h>

#include <cassert>
#include <utility>

namespace letterbox {
namespace {

// RapidJSON's output: writes straight into a string, so that nothing is copied at the end.
struct Sink {
  using Ch = char;
  void Put(char c) { out.push_back(c); }
  void Flush() {}

  std::string& out;
};

using Writer = rapidjson::Writer<Sink>;

rapidjson::SizeType size_of(std::string_view text) {
  assert(text.size() <= UINT32_MAX);
  return static_cast<rapidjson::SizeType>(text.size());
}

bool must_be_escaped(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

}  // namespace
}  // namespace letterbox

// RapidJSON writes a string byte by byte, but calls this first, before each byte that may need an
// escape. This writes the run of bytes up to there in one piece.
template <>
inline bool letterbox::Writer::ScanWriteUnescapedString(rapidjson::StringStream& in,
                                                        size_t length) {
  const char* end = in.head_ + length;
  const char* run = in.src_;
  while (in.src_ != end && !letterbox::must_be_escaped(*in.src_)) ++in.src_;
  os_->out.append(run, in.src_);
  return in.src_ != end;
}

namespace letterbox {

struct JsonWriter::State {
  std::string out;
  Sink sink{out};
  Writer writer{sink};
};

JsonWriter::JsonWriter() : state_(std::make_unique<State>()) {}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter& JsonWriter::operator=(JsonWriter&&) noexcept = default;

JsonWriter& JsonWriter::begin_object() {
  state_->writer.StartObject();
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  state_->writer.EndObject();
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  state_->writer.StartArray();
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  state_->writer.EndArray();
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  state_->writer.Key(name.data(), size_of(name));
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  state_->writer.String(text.data(), size_of(text));
  return *this;
}

JsonWriter& JsonWriter::number(int64_t value) {
  state_->writer.Int64(value);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
  state_->writer.Bool(value);
  return *this;
}

JsonWriter& JsonWriter::null() {
  state_->writer.Null();
  return *this;
}

JsonWriter& JsonWriter::number_or_null(uint64_t value) {
  return value == 0 ? null() : number(static_cast<int64_t>(value));
}

JsonWriter& JsonWriter::string_or_null(std::string_view text) {
  return text.empty() ? null() : string(text);
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  // RapidJSON uses the type only to check that a value is no key.
  state_->writer.RawValue(json.data(), json.size(), rapidjson::kNumberType);
  return *this;
}

std::string JsonWriter::take() {
  assert(state_->writer.IsComplete());
  std::string document = std::exchange(state_->out, {});
  state_->writer.Reset(state_->sink);
  return document;
}

void append_json_string(std::string& out, std::string_view utf8) {
  Sink sink{out};
  Writer(sink).String(utf8.data(), size_of(utf8));
}

std::string json_string(std::string_view utf8) {
  std::string json;
  json.reserve(utf8.size() + 2);
  append_json_string(json, utf8);
  return json;
}

}  // namespace letterbox
