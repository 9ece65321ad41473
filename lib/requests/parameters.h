// SPDX-License-Identifier: MIT
//
// Reads the parameters that several routes have in common, in the query or in a JSON body.
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

// limit= in the query: the most items of an answer, from 1 to 1000; 100 if it is not given. Errors:
// bad_limit, repeated_parameter.
Or<uint64_t> read_limit(const Query& query);

// after= in the query: a page begins after this name; empty: the first page. Errors: bad_user,
// repeated_parameter.
Or<std::string> read_after(const Query& query);

// `next` of an answer: a text from which read_after() reads that name again. A name may be any
// bytes, because an administrator may have put it into Redis by hand. A page that ends with such
// a name must not be the last one for that reason.
std::string next_text(std::string_view name);

// The members of the body, which is a JSON object. Errors: bad_json, bad_request, too_large.
Or<JsonMembers> members_of(const Request& request);

// The member "user". Errors: missing_user, bad_user, bad_request.
Or<std::string> user_member(const JsonMembers& members);

// A member that is a string; none if it is not given. Error: bad_request if it is no string.
Or<std::optional<std::string>> text_member(const JsonMembers& members, std::string_view name);

// A member that is true or false; false if it is not given. Error: bad_request if it is neither.
Or<bool> flag_member(const JsonMembers& members, std::string_view name);

// A member that is a number of seconds, with decimals allowed, as ms; none if it is not given.
// Error: bad_request if it is no such number, or more than `most_ms`.
Or<std::optional<uint64_t>> seconds_member(const JsonMembers& members, std::string_view name,
                                           uint64_t most_ms);

}  // namespace letterbox
