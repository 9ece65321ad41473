// SPDX-License-Identifier: MIT
//
// The parameters of a request, decoded by the rules of application/x-www-form-urlencoded. Pairs are
// separated by `&` (a `;` is an ordinary character). A `+` is a space, so a plus is sent as `%2B`.
// Every parameter must be well-formed UTF-8, also one that no route uses. A Query keeps its own
// copy of the text. The views that it returns point into that copy.
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
  // Code::bad_encoding if an escape or UTF-8 is wrong.
  static Or<Query> parse(std::string_view raw);

  bool has(std::string_view name) const;

  // The value of a parameter that may be given once; none if it is not given.
  // Code::repeated_parameter if it is given more than once.
  Or<std::optional<std::string_view>> single(std::string_view name) const&;
  void single(std::string_view name) const&& = delete;

  // The values of a parameter that may be repeated, in order.
  std::vector<std::string_view> all(std::string_view name) const&;
  void all(std::string_view name) const&& = delete;

 private:
  // Offsets into text_. They stay valid when a short string moves; views would not.
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

  std::string text_;  // the query, with names and values decoded in place
  std::vector<Parameter> parameters_;
};

}  // namespace letterbox
