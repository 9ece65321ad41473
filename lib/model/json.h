// SPDX-License-Identifier: MIT
//
// JSON text from outside, and text made into JSON. Pure functions, free for any thread.
#pragma once

#include <string>
#include <string_view>

#include "model/envelope.h"     // IWYU pragma: export
#include "model/error.h"        // IWYU pragma: export
#include "model/json_writer.h"  // IWYU pragma: export

namespace letterbox {

// The JSON document `text` without its white space, and with its strings escaped only where they
// must be. Numbers stay as they are written, however long; repeated keys stay too.
// Code::bad_json where it is no JSON, is no UTF-8 (escaped lone surrogates included) or is nested
// deeper than 512 levels; the message says what is wrong and at which byte, counted from 0.
Or<std::string> compact_json(std::string_view text);

// What the JSON string `json`, quotes and all, says. Empty where it is none.
std::string json_text(std::string_view json);

}  // namespace letterbox
