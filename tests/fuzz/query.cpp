// SPDX-License-Identifier: MIT
//
// model/query.h: a query string, compared with a second, simpler parser.
#include "model/query.h"

#include <utility>

#include "base/text.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::optional<std::string> decoded(std::string_view piece) {
  auto text = percent_decoded(std::string(piece), true);
  return text && valid_utf8(*text) ? text : std::nullopt;
}

// Nothing if one of them can't be decoded.
std::optional<Pairs> read_slowly(std::string_view raw) {
  Pairs pairs;
  while (!raw.empty()) {
    const std::string_view pair = raw.substr(0, raw.find('&'));
    raw.remove_prefix(std::min(pair.size() + 1, raw.size()));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const auto name = decoded(pair.substr(0, equals));
    const auto value = decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    pairs.emplace_back(*name, *value);
  }
  return pairs;
}

void compare(const Query& query, const Pairs& pairs) {
  for (const auto& [name, unused] : pairs) {
    std::vector<std::string_view> values;
    for (const auto& [same, value] : pairs) {
      if (same == name) values.emplace_back(value);
    }
    must(query.has(name) && query.all(name) == values, "all values are found, in order");
    const auto single = query.single(name);
    if (values.size() == 1) {
      must(single && *single == values.front(), "a parameter given once is single");
    } else {
      must(!single && single.error().code == Code::repeated_parameter,
           "a parameter given twice is refused as repeated");
    }
  }
}

std::string escaped(std::string_view text) { return fuzz::escaped(text, "0123456789ABCDEF"); }

}  // namespace

void try_one(std::string_view input) {
  const auto query = Query::parse(input);
  const auto pairs = read_slowly(input);
  must(static_cast<bool>(query) == pairs.has_value(), "both parsers take it or refuse it");
  if (!query) {
    must(query.error().code == Code::bad_encoding, "it can only be badly encoded");
    return;
  }
  compare(*query, *pairs);
  must(!query->has("never in it \xff") && query->all("never in it \xff").empty(),
       "a parameter that is not there is not found");

  std::string printed;
  for (const auto& [name, value] : *pairs) printed += escaped(name) + '=' + escaped(value) + '&';
  compare(Query::parse(printed).value(), *pairs);
}

}  // namespace letterbox::fuzz
