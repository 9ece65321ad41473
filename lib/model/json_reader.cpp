// SPDX-License-Identifier: MIT
#include "model/json_reader.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <string>

#include "base/text.h"

namespace letterbox {
namespace {

using rapidjson::SizeType;

size_t count_digits(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

bool starts_with_any(std::string_view text, std::string_view characters) {
  return !text.empty() && characters.find(text.front()) != std::string_view::npos;
}

// The bytes of the number at the start of `text`. 0 if there is no number, or if it does not end as
// a number must.
size_t number_size(std::string_view text) {
  size_t size = text.starts_with('-') ? 1 : 0;
  const size_t whole = count_digits(text.substr(size));
  if (whole == 0 || (whole > 1 && text[size] == '0')) return 0;
  size += whole;
  if (text.substr(size).starts_with('.')) {
    const size_t fraction = count_digits(text.substr(size + 1));
    if (fraction == 0) return 0;
    size += 1 + fraction;
  }
  const std::string_view exponent = text.substr(size);
  if (starts_with_any(exponent, "eE")) {
    const size_t sign = starts_with_any(exponent.substr(1), "+-") ? 1 : 0;
    const size_t digits = count_digits(exponent.substr(1 + sign));
    if (digits == 0) return 0;
    size += 1 + sign + digits;
  }
  return starts_with_any(text.substr(size), ".eE+-") ? 0 : size;
}

// RapidJSON's input. RapidJSON refuses numbers that no double can hold, but such numbers are JSON
// too. So RapidJSON is shown a plain 0 for each well-formed number, and the handler takes the real
// number from here. RapidJSON sees malformed numbers as they are, and says what is wrong with them.
class Source : public rapidjson::MemoryStream {
 public:
  explicit Source(std::string_view text) : MemoryStream(text.data(), text.size()) {}

  Ch Peek() const { return at_number_ ? '0' : MemoryStream::Peek(); }

  Ch Take() {
    if (!at_number_) return MemoryStream::Take();
    at_number_ = false;
    src_ += number_.size();
    return '0';
  }

  // Called before each place where a value may begin, which is never within a string.
  void look_for_number() {
    const std::string_view rest(src_, static_cast<size_t>(end_ - src_));
    number_ = rest.substr(0, number_size(rest));
    at_number_ = !number_.empty();
  }

  std::string_view number() const { return number_; }

 private:
  std::string_view number_;  // the last number
  bool at_number_ = false;   // the number comes next
};

// RapidJSON finds this function by its argument, uses it in place of its own, and calls it between
// any two tokens.
void SkipWhitespace(Source& source) {
  for (char c = source.Peek(); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = source.Peek()) {
    source.Take();
  }
  source.look_for_number();
}

// RapidJSON accepts an escaped low surrogate without its high surrogate, which is no character and
// has no UTF-8. The rest of `text` is well-formed, so the first two bytes show it.
bool has_surrogate(std::string_view text) {
  for (size_t i = text.find('\xED'); i != std::string_view::npos; i = text.find('\xED', i + 1)) {
    if (static_cast<unsigned char>(text[i + 1]) >= 0xA0) return true;
  }
  return false;
}

// Passes RapidJSON's calls on to the events, and refuses what RapidJSON would accept. RapidJSON
// names the functions; false ends the reading.
class Handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
 public:
  Handler(const Source& source, JsonEvents& events) : source_(source), events_(events) {}

  bool Null() {
    events_.null();
    return true;
  }
  bool Bool(bool value) {
    events_.boolean(value);
    return true;
  }
  bool RawNumber(const Ch*, SizeType, bool) {
    events_.number(source_.number());
    return true;
  }
  bool String(const Ch* text, SizeType size, bool) {
    if (!characters({text, size})) return false;
    events_.string({text, size});
    return true;
  }
  bool Key(const Ch* text, SizeType size, bool) {
    if (!characters({text, size})) return false;
    events_.key({text, size});
    return true;
  }
  bool StartObject() {
    if (!enter()) return false;
    events_.begin_object();
    return true;
  }
  bool EndObject(SizeType) {
    --depth_;
    events_.end_object();
    return true;
  }
  bool StartArray() {
    if (!enter()) return false;
    events_.begin_array();
    return true;
  }
  bool EndArray(SizeType) {
    --depth_;
    events_.end_array();
    return true;
  }

  // Why one of the functions above returned false.
  std::string_view refusal() const { return refusal_; }

 private:
  bool enter() {
    if (++depth_ <= kJsonDepthMax) return true;
    refusal_ = "nested too deep";
    return false;
  }

  bool characters(std::string_view text) {
    if (!has_surrogate(text)) return true;
    refusal_ = "the string that ends here has half a surrogate pair";
    return false;
  }

  const Source& source_;
  JsonEvents& events_;
  size_t depth_ = 0;
  std::string_view refusal_;
};

Error not_json(std::string_view reason, size_t offset) {
  return {Code::bad_json,
          "not JSON at byte " + std::to_string(offset) + ": " + std::string(reason)};
}

// RapidJSON's sentence about the error, without its full stop.
std::string_view reason_of(rapidjson::ParseErrorCode code) {
  std::string_view reason = rapidjson::GetParseError_En(code);
  if (reason.ends_with('.')) reason.remove_suffix(1);
  return reason;
}

}  // namespace

Or<void> read_json(std::string_view text, JsonEvents& events) {
  // RapidJSON takes a NUL for the end of the text, and would not see the rest.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return not_json("a NUL", nul);
  }
  if (const size_t good = valid_utf8_prefix(text); good != text.size()) {
    return not_json("not UTF-8", good);
  }
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  Source source(text);
  Handler handler(source, events);
  const auto result = rapidjson::Reader().Parse<kFlags>(source, handler);
  if (!result) {
    const std::string_view refusal = handler.refusal();
    return not_json(refusal.empty() ? reason_of(result.Code()) : refusal, result.Offset());
  }
  return {};
}

}  // namespace letterbox
