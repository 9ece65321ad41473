// SPDX-License-Identifier: MIT
#include "model/message.h"

#include <cassert>
#include <utility>

#include "base/text.h"
#include "model/json_writer.h"
#include "model/names.h"

namespace letterbox {
namespace {

constexpr char kAnnounced = '\x01';  // no element that a person pushes begins with it
constexpr char kBell = '*';

// The parts of "FIRST SECOND"; none if there is no space.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

Ring message_ring(const Cursor& id, const Element& element) {
  assert(id.seq > 0 && !element.body.empty());
  return {.kind = Ring::Kind::message, .id = id, .element = element};
}

}  // namespace

std::string make_element(std::string_view type, std::string_view data_json, uint64_t time_ms,
                         uint64_t expires_ms) {
  constexpr size_t kRest = 80;  // two numbers and what stands between them
  assert(!data_json.empty());
  std::string element;
  element.reserve(type.size() + data_json.size() + kRest);
  append_u64(element, expires_ms);
  element += R"( {"type":)";
  append_json_string(element, type);
  element += R"(,"data":)";
  element += data_json;
  element += R"(,"time":)";
  append_u64(element, time_ms);
  element += '}';
  assert(parse_element(element));
  return element;
}

std::optional<Element> parse_element(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  const auto [number, body] = *parts;
  const auto expires = parse_u64(number);
  if (!expires || !body.starts_with("{\"") || !body.ends_with('}')) return std::nullopt;
  return Element{*expires, body};
}

void append_message(std::string& out, const Message& message) {
  assert(!message.body.empty());
  out += R"({"id":")";
  message.id.append_to(out);
  out += R"(",)";
  out += message.body.substr(1);
}

// The type ends at the first quote that is not escaped. The time is a number, so `,"time":` is
// searched from the end.
BodyParts parts_of(std::string_view body) {
  constexpr std::string_view kType = R"({"type":)";
  constexpr std::string_view kData = R"(,"data":)";
  constexpr std::string_view kTime = R"(,"time":)";
  if (!body.starts_with(kType)) return {};
  const std::string_view rest = body.substr(kType.size());
  size_t end = 1;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  if (end >= rest.size()) return {};
  const std::string_view type = rest.substr(0, end + 1);
  const size_t time = rest.rfind(kTime);
  const size_t data = type.size() + kData.size();
  if (time == std::string_view::npos || time < data) return {};
  return {type, rest.substr(data, time - data)};
}

Ring parse_ring(std::string_view text) {
  const Ring raw{.raw = text};
  if (!text.starts_with(kAnnounced)) return raw;
  std::string_view rest = text.substr(1);
  if (rest.starts_with(kBell)) {
    return parse_u64(rest.substr(1)) ? Ring{.kind = Ring::Kind::bell} : raw;
  }
  const auto parts = split(rest);
  if (!parts) return raw;
  const auto id = Cursor::parse(parts->first);
  const auto element = parse_element(parts->second);
  if (!id || id->seq == 0 || !element) return raw;
  return message_ring(*id, *element);
}

Ring ring_of(const Cursor& id, std::string_view element) {
  const auto parsed = parse_element(element);
  assert(parsed && id.seq > 0);
  return message_ring(id, *parsed);
}

std::vector<AddressedRing> parse_addressed(std::string_view text) {
  std::vector<AddressedRing> rings;
  if (text.find('\n') == std::string_view::npos) return {};
  std::string_view names = take_until(text, '\n');
  const auto element = parse_element(text);
  if (!parse_u64(take_until(names, ' ')) || (!element && !text.empty())) return {};
  while (!names.empty()) {
    const std::string_view user = take_until(names, ' ');
    const auto id = Cursor::parse(take_until(names, ' '));
    if (!valid_user(user) || !id || id->seq == 0) return {};
    rings.emplace_back(user,
                       element ? message_ring(*id, *element) : Ring{.kind = Ring::Kind::bell});
  }
  return rings;
}

}  // namespace letterbox
