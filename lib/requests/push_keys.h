// SPDX-License-Identifier: MIT
//
// The keys of the private face: their names, and what each may be used for. push_guard.h asks for
// them. Pure, for any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fastcgi/request.h"

namespace letterbox {

// What a key may be used for.
enum class Scope : uint8_t {
  push = 1,   // to push, and to take back what was pushed
  read = 2,   // to read anything
  admin = 4,  // everything else
};
std::string_view name(Scope scope);

// The scope that a request to the private face needs. PROTOCOL.md has the list.
Scope scope_of(const Request& request);

struct PushKey {
  std::string name = "-";  // for metrics and the log; several keys may have one name
  std::string secret = {};
  unsigned scopes = 7;  // a set of Scope

  bool has(Scope scope) const { return (scopes & static_cast<unsigned>(scope)) != 0; }
};

// The keys in the file of --key-file. A line without a blank is a key as a whole, for everything; a
// line with one is `NAME:KEY SCOPES`. The error is a sentence about the file, and quotes nothing
// from it.
Result<std::vector<PushKey>, std::string> parse_push_keys(std::string_view file);

}  // namespace letterbox
