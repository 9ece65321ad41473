// SPDX-License-Identifier: MIT
#include <rapidjson/document.h>

#include <array>
#include <charconv>

#include "dialect.h"
#include "text.h"

namespace letterbox::bench {
namespace {

using Pool = rapidjson::MemoryPoolAllocator<>;
using Document = rapidjson::GenericDocument<rapidjson::UTF8<>, Pool, Pool>;
using Value = Document::ValueType;

const Value* find(const Value& object, const char* name) {
  const auto member = object.FindMember(name);
  return member == object.MemberEnd() ? nullptr : &member->value;
}

std::string_view text_of(const Value* value) {
  if (value == nullptr || !value->IsString()) return {};
  return {value->GetString(), value->GetStringLength()};
}

uint64_t number_of(const Value* value) {
  return value != nullptr && value->IsUint64() ? value->GetUint64() : 0;
}

class LetterboxDialect : public Dialect {
 public:
  void append_poll(std::string& out, std::string_view user,
                   std::string_view cursor) const override {
    out += "GET /poll?user=";
    out += user;
    out += "&client=c&timeout=50&after=";
    out += cursor.empty() ? "0" : cursor;
    out += " HTTP/1.1\r\nHost: bench\r\n\r\n";
  }

  void append_push(std::string& out, const Letter& letter) const override {
    append_post(out, "/push?to=", letter.user, "text/plain", letter.body);
  }

  bool has_groups() const override { return true; }

  void append_join(std::string& out, std::string_view group, std::string_view user) const override {
    out += "PUT /groups/";
    out += group;
    out += '/';
    out += user;
    out += " HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n";
  }

  void append_broadcast(std::string& out, const Letter& letter) const override {
    append_post(out, "/push?to=group:", letter.user, "text/plain", letter.body);
  }

  size_t batch_size() const override { return 100; }

  void append_batch(std::string& out, const std::vector<Letter>& letters) const override {
    std::string json;
    for (const Letter& letter : letters) {
      json += json.empty() ? R"([{"to":")" : R"(,{"to":")";
      json += letter.user;
      json += R"(","data":")";
      json += letter.body;  // needs no escapes, see message.h
      json += "\"}";
    }
    json += ']';
    append_post(out, "/push", "", "application/json", json);
  }

  PollReading read_poll(const HttpAnswer& answer, std::string& cursor,
                        std::vector<std::string_view>& bodies) override {
    bodies.clear();
    if (answer.status != 200) return {};
    text_ = answer.body;
    values_.Clear();
    stack_.Clear();
    Document document(&values_, 1024, &stack_);
    document.ParseInsitu(text_.data());
    if (document.HasParseError() || !document.IsObject()) return {};

    PollReading reading;
    if (!read_messages(find(document, "messages"), bodies)) return reading;
    const std::string_view reason = text_of(find(document, "reason"));
    if (reason == "messages") reading.kind = PollReading::messages;
    if (reason == "timeout") reading.kind = PollReading::nothing;
    reading.retry_after_ms = static_cast<uint32_t>(number_of(find(document, "retry_after_ms")));
    reading.missed = number_of(find(document, "missed"));
    if (number_of(find(document, "count")) != bodies.size()) reading.kind = PollReading::refused;
    cursor = text_of(find(document, "cursor"));
    return reading;
  }

 private:
  static bool read_messages(const Value* messages, std::vector<std::string_view>& bodies) {
    if (messages == nullptr || !messages->IsArray()) return false;
    for (const Value& message : messages->GetArray()) {
      bodies.push_back(message.IsObject() ? text_of(find(message, "data")) : std::string_view());
    }
    return true;
  }

  std::string text_;
  std::array<char, 16384> value_room_;
  std::array<char, 4096> stack_room_;
  Pool values_{value_room_.data(), value_room_.size()};
  Pool stack_{stack_room_.data(), stack_room_.size()};
};

uint64_t number_after(std::string_view json, std::string_view mark) {
  uint64_t number = 0;
  const std::string_view text = text_after(json, mark);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// /// Does not parse the JSON: a stream's messages come one by one, and the generator must stay
/// cheap.
class LetterboxStreams final : public LetterboxDialect {
 public:
  void append_poll(std::string& out, std::string_view user,
                   std::string_view cursor) const override {
    out += "GET /events?user=";
    out += user;
    out += "&client=c&timeout=300&after=0";
    append_stream_headers(out, cursor);
  }

  PollReading read_poll(const HttpAnswer& part, std::string& cursor,
                        std::vector<std::string_view>& bodies) override {
    const PollReading reading = read_part(part, cursor, bodies, read_own_event);
    for (std::string_view& body : bodies) body = quoted_after(body, R"("data":")");
    return reading;
  }

 private:
  static void read_own_event(const ServerEvent& event, PollReading& reading) {
    if (event.type == "letterbox.missed") reading.missed += number_after(event.data, "\"missed\":");
    if (event.type != "letterbox.end") return;
    const bool timeout = quoted_after(event.data, R"("reason":")") == "timeout";
    reading.kind = timeout ? PollReading::nothing : PollReading::refused;
    reading.retry_after_ms =
        static_cast<uint32_t>(number_after(event.data, R"("retry_after_ms":)"));
  }
};

}  // namespace

std::unique_ptr<Dialect> letterbox_dialect() { return std::make_unique<LetterboxDialect>(); }

std::unique_ptr<Dialect> letterbox_streams() { return std::make_unique<LetterboxStreams>(); }

}  // namespace letterbox::bench
