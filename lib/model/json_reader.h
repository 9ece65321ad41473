// SPDX-License-Identifier: MIT
//
// Reads JSON that comes from outside, as a sequence of events. Used within this folder alone.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/error.h"

namespace letterbox {

// JSON nested deeper than this is refused.
inline constexpr size_t kJsonDepthMax = 512;

// Whoever wants to know what a document says. Texts are decoded, well-formed UTF-8, and gone after
// the call.
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

// Tells `events` of everything in `text`, in order; on an error of what stood before it. Events
// form a document only where there was no error. Uses no more stack for nested documents than for
// flat ones. Errors: as compact_json.
Or<void> read_json(std::string_view text, JsonEvents& events);

}  // namespace letterbox
