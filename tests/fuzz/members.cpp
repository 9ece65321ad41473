// SPDX-License-Identifier: MIT
//
// model/json_members.h: the members of an object, beside the whole document made compact.
#include "base/text.h"
#include "model/json.h"
#include "model/json_members.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

using Kind = JsonMember::Kind;

void must_be_json(const JsonMember& member) {
  must(compact_json(member.json).value() == member.json, "a member is compact JSON");
  must(valid_utf8(member.text), "texts are UTF-8");
  must(member.kind != Kind::string || member.json == json_string(member.text),
       "a text is what its JSON says");
  must(member.kind != Kind::number || member.json == member.text, "a number is as it is written");
  must((member.kind == Kind::strings) <= (member.json.front() == '['), "texts stand in an array");
  must(member.kind == Kind::strings || member.kind == Kind::other || member.strings.empty(),
       "only an array has texts");
}

}  // namespace

void try_one(std::string_view input) {
  const auto compact = compact_json(input);
  const auto members = json_members(input);
  if (!compact) {
    must(!members && members.error() == compact.error(), "what is no JSON has no members");
    return;
  }
  if (!members) {
    must(members.error().code == Code::bad_request, "what is JSON can only be no object");
    return;
  }
  must(compact->front() == '{', "only an object has members");
  size_t size = 2 + (members->empty() ? 0 : members->size() - 1);
  for (const auto& [name, member] : *members) {
    must_be_json(member);
    const std::string whole = json_string(name) + ':' + member.json;
    must(compact->find(whole) != std::string::npos, "a member stands in the document");
    size += whole.size();
  }
  must(size == compact->size(), "there is nothing else in the document");
}

}  // namespace letterbox::fuzz
