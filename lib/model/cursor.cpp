// SPDX-License-Identifier: MIT
#include "model/cursor.h"

#include <cassert>

#include "base/text.h"

namespace letterbox {
namespace {

// So that the doubles of Lua hold it exactly.
constexpr size_t kDigitsMax = 15;
constexpr uint64_t kPartMost = 999'999'999'999'999;
static_assert(kPartMost < uint64_t{1} << 53, "a double holds each part of a cursor");

// As text() writes it: no leading zero.
std::optional<uint64_t> parse_part(std::string_view text) {
  if (text.size() > kDigitsMax || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return parse_u64(text);
}

}  // namespace

void Cursor::append_to(std::string& out) const {
  append_u64(out, epoch);
  if (epoch == 0 && seq == 0) return;
  out += '-';
  append_u64(out, seq);
}

std::string Cursor::text() const {
  std::string text;
  append_to(text);
  return text;
}

std::optional<Cursor> Cursor::parse(std::string_view text) {
  if (text == "0") return Cursor{};
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_part(text.substr(0, dash));
  const auto seq = parse_part(text.substr(dash + 1));
  if (!epoch || !seq) return std::nullopt;
  const Cursor cursor{*epoch, *seq};
  assert(cursor.epoch <= kPartMost && cursor.seq <= kPartMost);
  return cursor;
}

}  // namespace letterbox
