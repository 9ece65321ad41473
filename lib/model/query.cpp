// SPDX-License-Identifier: MIT
#include "model/query.h"

#include <algorithm>

#include "base/text.h"

namespace letterbox {

// Each piece is decoded in place, so the whole costs one copy of the text.
Or<Query> Query::parse(std::string_view raw) {
  Query query;
  query.text_ = raw;
  query.parameters_.reserve(8);

  const auto decode = [&query](size_t begin, size_t end) -> Or<Piece> {
    const auto size = percent_decode_in_place(&query.text_[begin], end - begin, true);
    if (!size) {
      return Error{Code::bad_encoding, "the query has a % that two hex digits do not follow"};
    }
    if (!valid_utf8({&query.text_[begin], *size})) {
      return Error{Code::bad_encoding, "the query is not UTF-8"};
    }
    return Piece{begin, *size};
  };

  for (size_t begin = 0, end = 0; begin < raw.size(); begin = end + 1) {
    end = std::min(raw.find('&', begin), raw.size());
    if (end == begin) continue;
    const size_t equals = std::min(raw.substr(0, end).find('=', begin), end);
    auto name = decode(begin, equals);
    if (!name) return std::move(name).error();
    auto value = decode(std::min(equals + 1, end), end);
    if (!value) return std::move(value).error();
    query.parameters_.push_back({*name, *value});
  }
  return query;
}

std::string_view Query::at(Piece piece) const {
  return std::string_view(text_).substr(piece.begin, piece.size);
}

bool Query::has(std::string_view name) const {
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [&](const Parameter& p) { return at(p.name) == name; });
}

Or<std::optional<std::string_view>> Query::single(std::string_view name) const& {
  std::optional<std::string_view> found;
  for (const Parameter& p : parameters_) {
    if (at(p.name) != name) continue;
    if (found) {
      return Error{Code::repeated_parameter, std::string(name) + " may be given only once"};
    }
    found = at(p.value);
  }
  return found;
}

std::vector<std::string_view> Query::all(std::string_view name) const& {
  std::vector<std::string_view> values;
  for (const Parameter& p : parameters_) {
    if (at(p.name) == name) values.emplace_back(at(p.value));
  }
  return values;
}

}  // namespace letterbox
