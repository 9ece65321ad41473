// SPDX-License-Identifier: MIT
//
// Reads JSON that comes from outside, as a sequence of events. Used only in this folder.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/error.h"

namespace letterbox {

// JSON nested deeper than this is refused.
inline constexpr size_t kJsonDepthMax = 512;

// Receives the events of a document. Texts are decoded and well-formed UTF-8. They are valid only
// during the call.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;

  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  virtual void key(std::string_view name) = 0;
  virtual void string(std::string_view text) = 0;
  virtual void number(std::string_view as_written) = 0;
  virtual void boolean(bool value) = 0;
  virtual void null() = 0;
};

// Tells `events` of everything in `text`, in order. If there is an error, `events` has been told
// what comes before it, so the events form a document only if there was no error. Nested documents
// take no more stack than flat ones. Errors: as compact_json.
Or<void> read_json(std::string_view text, JsonEvents& events);

}  // namespace letterbox
