// SPDX-License-Identifier: MIT
//
// A message on its way in, with the users it is for: `{"to":"alice","type":"mail","data":…}`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/error.h"

namespace letterbox {

struct Envelope {
  std::vector<std::string> to;  // at least one, in order, as written: not checked to be user names
  bool many = false;            // `to` was an array, so the answer is a list
  std::optional<std::string> type;
  std::string data;                // compact JSON; "null" where it was not given
  std::optional<uint64_t> ttl_ms;  // more than 0; not checked against any limit
};

// What a push without `to` in its query carries: one envelope, or an array of them.
struct Envelopes {
  bool batch = false;               // it was an array
  std::vector<Or<Envelope>> items;  // exactly one where it was not; of an array each element
};

// Reads a body in one pass. The whole is an error (Code::bad_json) only where it is no JSON, see
// compact_json. What is JSON of the wrong shape is the error of its item alone, so that a batch
// can report each: Code::missing_to, bad_type, bad_ttl, and bad_envelope for the rest (no object,
// a member of the wrong kind, one of ours twice). Members that mean nothing here are ignored.
Or<Envelopes> parse_envelopes(std::string_view body);

}  // namespace letterbox
