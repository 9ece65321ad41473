// SPDX-License-Identifier: MIT
//
// The parameters that several routes have in common, in the query or in a JSON body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fastcgi/request.h"
#include "model/error.h"
#include "model/json_members.h"
#include "model/query.h"

namespace letterbox {

// user= in the query. Errors: missing_user, bad_user, repeated_parameter.
Or<std::string> named_user(const Query& query);

// limit= in the query: how many at most, from 1 to 1000; without it 100. Errors: bad_limit,
// repeated_parameter.
Or<uint64_t> read_limit(const Query& query);

// after= in the query: the name behind which a page begins; empty: it is the first page. Errors:
// bad_user, repeated_parameter.
Or<std::string> read_after(const Query& query);

// `next` of an answer: what read_after() reads that name from. Names are any bytes (somebody may
// have put them into Redis by hand), and no page may be the last because its last one is such.
std::string next_text(std::string_view name);

// The body, a JSON object. Errors: bad_json, bad_request, too_large.
Or<JsonMembers> members_of(const Request& request);

// "user" in it. Errors: missing_user, bad_user, bad_request.
Or<std::string> user_member(const JsonMembers& members);

// A text; nothing where it is not there. Error: bad_request where it is something else.
Or<std::optional<std::string>> text_member(const JsonMembers& members, std::string_view name);

// Seconds, decimals allowed, as ms. Error: bad_request where they are not such, or more than that.
Or<std::optional<uint64_t>> seconds_member(const JsonMembers& members, std::string_view name,
                                           uint64_t most_ms);

}  // namespace letterbox
