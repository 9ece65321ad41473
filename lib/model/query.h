// SPDX-License-Identifier: MIT
//
// The parameters of a request, decoded by the rules of application/x-www-form-urlencoded: pairs
// stand between `&` (a `;` is an ordinary character), a `+` is a space, so a plus is sent as
// `%2B`. All of it must be well-formed UTF-8, also in parameters that nobody asks for.
// A value of its own: keeps nothing of the text it was parsed from. What it tells are views into
// it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

class Query {
 public:
  // Code::bad_encoding where an escape or UTF-8 is wrong.
  static Or<Query> parse(std::string_view raw);

  bool has(std::string_view name) const;

  // The value of a parameter that may stand once, if it does.
  // Code::repeated_parameter where it stands more than once.
  Or<std::optional<std::string_view>> single(std::string_view name) const&;
  void single(std::string_view name) const&& = delete;

  // The values of a parameter that may be repeated, in order.
  std::vector<std::string_view> all(std::string_view name) const&;
  void all(std::string_view name) const&& = delete;

 private:
  // Offsets into text_: they survive a move of a short string, views would not.
  struct Piece {
    size_t begin;
    size_t size;
  };
  struct Parameter {
    Piece name;
    Piece value;
  };

  Query() = default;
  std::string_view at(Piece piece) const;

  std::string text_;  // the query, its names and values decoded in place
  std::vector<Parameter> parameters_;
};

}  // namespace letterbox
