// SPDX-License-Identifier: MIT
//
// An envelope: a message on its way in, with the users it is for.
// `{"to":"alice","type":"mail","data":…}`
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

struct Envelope {
  std::vector<std::string> to;  // at least one, in order, as written; not checked to be user names
  bool many = false;            // `to` was an array, so the answer is a list
  std::optional<std::string> type;
  std::string data;                // compact JSON; "null" if it was not given
  std::string collapse;            // empty: none was given
  std::string idempotency_key;     // empty: none was given
  std::optional<uint64_t> ttl_ms;  // more than 0; not checked against any limit
  // When it is to be pushed, not checked against any limit: so much later, or at a time since 1970.
  std::optional<uint64_t> delay_ms;
  std::optional<uint64_t> at_ms;
};

// The body of a push without `to` in its query: one envelope, or an array of them.
struct Envelopes {
  bool batch = false;               // the body was an array
  std::vector<Or<Envelope>> items;  // each element of the array, or the one envelope
};

// Reads a body in one pass. The whole is an error (Code::bad_json) only if it is not JSON, see
// compact_json. An item of the wrong shape is an error of its own, so that a batch can report each:
// Code::missing_to, bad_type, bad_ttl, bad_time, bad_collapse, bad_idempotency_key, or bad_envelope
// for the rest (no object, a member of the wrong kind, a known member twice). Unknown members are
// ignored.
Or<Envelopes> parse_envelopes(std::string_view body);

}  // namespace letterbox
