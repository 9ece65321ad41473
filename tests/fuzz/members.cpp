// SPDX-License-Identifier: MIT
//
// model/json_members.h and model/json_strings.h: the members of an object, or the strings of an
// array, compared with the whole document made compact.
#include "base/text.h"
#include "model/json.h"
#include "model/json_members.h"
#include "model/json_strings.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

using Kind = JsonMember::Kind;

void must_be_json(const JsonMember& member) {
  must(compact_json(member.json).value() == member.json, "a member is compact JSON");
  must(valid_utf8(member.text), "texts are UTF-8");
  must(member.kind != Kind::string || member.json == json_string(member.text),
       "a text is the value of its JSON");
  must(member.kind != Kind::number || member.json == member.text, "a number is as it is written");
  must((member.kind == Kind::strings) <= (member.json.front() == '['), "texts are in an array");
  must(member.kind == Kind::strings || member.kind == Kind::other || member.strings.empty(),
       "only an array has texts");
}

// The strings are those that the array has as a member of an object.
void must_be_strings(std::string_view input, const Or<std::string>& compact) {
  const auto strings = json_strings(input, input.size());
  if (!compact) return must(!strings && strings.error() == compact.error(), "it is no JSON");
  const std::string document = "{\"a\":" + *compact + '}';
  const auto outer = json_members(document);
  if (!outer) return;  // nested too deep
  const auto& member = outer->at("a");
  must(static_cast<bool>(strings) == (member.kind == Kind::strings),
       "an array of strings, or an error");
  if (strings) must(*strings == member.strings, "each string, in its order");
}

}  // namespace

void try_one(std::string_view input) {
  const auto compact = compact_json(input);
  const auto members = json_members(input);
  must_be_strings(input, compact);
  if (!compact) {
    must(!members && members.error() == compact.error(), "a text that is no JSON has no members");
    return;
  }
  if (!members) {
    must(members.error().code == Code::bad_request, "JSON can only fail by being no object");
    return;
  }
  must(compact->front() == '{', "only an object has members");
  size_t size = 2 + (members->empty() ? 0 : members->size() - 1);
  for (const auto& [name, member] : *members) {
    must_be_json(member);
    const std::string whole = json_string(name) + ':' + member.json;
    must(compact->find(whole) != std::string::npos, "a member is in the document");
    size += whole.size();
  }
  must(size == compact->size(), "there is nothing else in the document");
}

}  // namespace letterbox::fuzz
