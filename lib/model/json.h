// SPDX-License-Identifier: MIT
//
// Reads JSON text from outside, and makes text into JSON. Pure functions, for any thread.
#pragma once

#include <string>
#include <string_view>

#include "model/envelope.h"     // IWYU pragma: export
#include "model/error.h"        // IWYU pragma: export
#include "model/json_writer.h"  // IWYU pragma: export

namespace letterbox {

// The JSON document `text` without its white space, and with its strings escaped only if they must
// be. Numbers stay as they are written, however long; repeated keys stay too. Code::bad_json if
// `text` is not JSON, is not UTF-8 (escaped lone surrogates included) or is nested deeper than 512
// levels. The message says what is wrong and at which byte, counted from 0.
Or<std::string> compact_json(std::string_view text);

// The text of `json`, a JSON string with its quotes. Empty if `json` is no JSON string.
std::string json_text(std::string_view json);

}  // namespace letterbox
