// SPDX-License-Identifier: MIT
#include "requests/push_keys.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/lines.h"
#include "base/text.h"
#include "model/names.h"
#include "model/query.h"

namespace letterbox {
namespace {

constexpr size_t kKeysMost = 32;
constexpr size_t kKeyBytesLeast = 16;
constexpr std::array kScopes{Scope::push, Scope::read, Scope::admin};

using Fault = std::optional<std::string>;

// True if a header can carry the key as it is.
bool is_plain(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
}

Fault read_scopes(std::string_view list, PushKey& key) {
  key.scopes = 0;
  while (!list.empty()) {
    const std::string_view word = take_until(list, ',');
    const auto scope = std::find_if(kScopes.begin(), kScopes.end(),
                                    [&](Scope each) { return name(each) == word; });
    if (scope == kScopes.end()) {
      return "behind NAME:KEY and a blank it says push, read or admin, or several with commas";
    }
    key.scopes |= static_cast<unsigned>(*scope);
  }
  return {};
}

Fault read_line(std::string_view line, PushKey& key) {
  const size_t blank = line.find(' ');
  if (blank != std::string_view::npos) {
    std::string_view named = line.substr(0, blank);
    const size_t colon = named.find(':');
    if (colon == std::string_view::npos || !valid_client(named.substr(0, colon))) {
      return "a line with a blank is NAME:KEY SCOPES, and a name is 1 to 64 of A-Z a-z 0-9 . _ - @ "
             "+";
    }
    key.name = take_until(named, ':');
    if (auto fault = read_scopes(line.substr(blank + 1), key)) return fault;
    if (key.scopes == 0) return "a key with a name says what it is for: push, read, admin";
    line = named;
  }
  if (line.size() < kKeyBytesLeast) return "a key has at least 16 characters";
  if (!is_plain(line)) return "a key is made of printable ASCII, without blanks";
  key.secret = line;
  return {};
}

}  // namespace

std::string_view name(Scope scope) {
  switch (scope) {
    case Scope::push:
      return "push";
    case Scope::read:
      return "read";
    case Scope::admin:
      return "admin";
  }
  return "";
}

Scope scope_of(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return Scope::read;
  if (request.method == "POST" && request.path == "/push") return Scope::push;
  if (request.method == "DELETE" && request.path == "/scheduled") return Scope::push;
  if (request.method == "DELETE" && request.path == "/mailbox") {
    // One message is taken back, or a whole mailbox.
    const auto query = Query::parse(request.query);
    if (query && query->has("id")) return Scope::push;
  }
  return Scope::admin;
}

Result<std::vector<PushKey>, std::string> parse_push_keys(std::string_view file) {
  std::vector<PushKey> keys;
  while (!file.empty()) {
    PushKey key;
    if (auto fault = read_line(take_line(file), key)) return *std::move(fault);
    const bool twice = std::any_of(
        keys.begin(), keys.end(), [&](const PushKey& other) { return other.secret == key.secret; });
    if (twice) return "a key stands in it twice";
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return "there is no key in it";
  if (keys.size() > kKeysMost) return "there are more than 32 keys in it";
  return keys;
}

}  // namespace letterbox
