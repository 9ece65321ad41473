// SPDX-License-Identifier: MIT
//
// model/names.h, and the keys that are made of names.
#include "model/names.h"

#include "base/text.h"
#include "mailbox/keys.h"
#include "model/json_writer.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

bool is_plain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '@' || c == ':' || c == '+';
}

}  // namespace

void try_one(std::string_view input) {
  bool plain = !input.empty();
  for (const char c : input) plain = plain && is_plain(c);
  must(valid_user(input) == (plain && input.size() <= 128), "a user has 1 to 128 plain letters");
  must(valid_group(input) == valid_client(input), "a group is named like a client");
  must(valid_client(input) == (plain && input.size() <= 64), "a client has 1 to 64 of them");

  if (valid_user(input)) {
    must(mailbox_user(mailbox_key(input)) == input, "a key leads back to its user");
    must(mailbox_key(input).find('}') == mailbox_key(input).size() - 1,
         "the hash tag of a key is the user");
  }
  const std::string_view owner = mailbox_user(input);
  must(owner.empty() || within(owner, input), "a key's user is a part of it");

  if (valid_type(input)) {
    must(valid_utf8(input) && utf8_length(input) >= 1 && utf8_length(input) <= 64,
         "a type is 1 to 64 characters");
    for (const char c : input) {
      must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "a type has no control character");
    }
    must(json_string(input).size() <= 2 * input.size() + 2, "a type takes no long escapes");
  }
}

}  // namespace letterbox::fuzz
