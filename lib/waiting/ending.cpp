// SPDX-License-Identifier: MIT
#include "waiting/ending.h"

#include <array>

#include "base/text.h"

namespace letterbox {

namespace {

constexpr std::array<std::string_view, kReasons> kNames{
    "messages", "timeout", "superseded", "shutdown", "kicked", "slow", "gone", "error"};

static_assert(kReasons == static_cast<size_t>(Reason::error) + 1);
static_assert(!kNames.back().empty(), "each reason has a name");

// Of the text that a message's id adds to its body.
constexpr size_t kIdMost = 50;

}  // namespace

std::string_view name(Reason reason) { return kNames.at(static_cast<size_t>(reason)); }

std::string to_json(const Ending& ending) {
  const Portion& given = ending.given;
  size_t bytes = 200;
  for (const auto& message : given.messages) bytes += message.body.size() + kIdMost;
  std::string out;
  out.reserve(bytes);
  out += R"({"count":)";
  append_u64(out, given.messages.size());
  out += R"(,"messages":[)";
  for (const auto& message : given.messages) {
    if (&message != given.messages.data()) out += ',';
    append_message(out, message);
  }
  out += R"(],"cursor":")";
  given.cursor.append_to(out);
  out += R"(","missed":)";
  append_u64(out, given.missed);
  out += given.reset ? R"(,"reset":true,"reason":")" : R"(,"reset":false,"reason":")";
  out += name(ending.reason);
  out += R"(","retry_after_ms":)";
  append_u64(out, ending.retry_after_ms);
  out += R"(,"collapsed":)";
  append_u64(out, given.collapsed);
  out += "}\n";
  return out;
}

}  // namespace letterbox
