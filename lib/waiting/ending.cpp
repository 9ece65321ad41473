// SPDX-License-Identifier: MIT
#include "waiting/ending.h"

#include <array>

#include "base/text.h"
#include "model/message.h"

namespace letterbox {

namespace {

constexpr std::array<std::string_view, kReasons> kNames{
    "messages", "timeout", "superseded", "shutdown", "kicked", "gone", "error"};

}  // namespace

std::string_view name(Reason reason) { return kNames.at(static_cast<size_t>(reason)); }

std::string to_json(const Ending& ending) {
  std::string out;
  out.reserve(ending.messages.size() + ending.single.size() + 200);
  out += R"({"count":)";
  append_u64(out, ending.count);
  out += R"(,"messages":[)";
  out += ending.messages;
  if (!ending.single.empty()) append_message(out, ending.cursor, ending.single);
  out += R"(],"cursor":")";
  ending.cursor.append_to(out);
  out += R"(","missed":)";
  append_u64(out, ending.missed);
  out += ending.reset ? R"(,"reset":true,"reason":")" : R"(,"reset":false,"reason":")";
  out += name(ending.reason);
  out += R"(","retry_after_ms":)";
  append_u64(out, ending.retry_after_ms);
  out += "}\n";
  return out;
}

}  // namespace letterbox
