// SPDX-License-Identifier: MIT
#include "model/json_members.h"

#include <utility>

#include "model/json_reader.h"
#include "model/json_writer.h"

namespace letterbox {
namespace {

using Kind = JsonMember::Kind;

// `depth_` counts the objects and arrays around a value: 1 for a member's value, 2 for an element
// of a member that is an array.
class MembersReader final : public JsonEvents {
 public:
  void begin_object() override {
    if (depth_ == 0) {
      is_object_ = true;
    } else {
      begin(Kind::other);
      json_.begin_object();
    }
    ++depth_;
  }
  void end_object() override {
    --depth_;
    if (depth_ == 0) return;
    json_.end_object();
    end();
  }

  void begin_array() override {
    begin(depth_ == 1 ? Kind::strings : Kind::other);
    json_.begin_array();
    ++depth_;
  }
  void end_array() override {
    --depth_;
    json_.end_array();
    end();
  }

  void key(std::string_view name) override {
    if (depth_ > 1) {
      json_.key(name);
      return;
    }
    const auto [place, is_new] = members_.try_emplace(std::string(name));
    if (!is_new) repeated_ = true;
    member_ = &place->second;
  }

  void string(std::string_view text) override {
    begin(Kind::string, text);
    json_.string(text);
    end();
  }
  void number(std::string_view as_written) override {
    begin(Kind::number, as_written);
    json_.raw(as_written);
    end();
  }
  void boolean(bool value) override {
    begin(Kind::other);
    json_.boolean(value);
    end();
  }
  void null() override {
    begin(Kind::other);
    json_.null();
    end();
  }

  Or<JsonMembers> take() {
    if (!is_object_) return Error{Code::bad_request, "a JSON object is wanted"};
    if (repeated_) return Error{Code::bad_request, "a name stands twice in the JSON object"};
    return std::move(members_);
  }

 private:
  void begin(Kind kind, std::string_view text = {}) {
    if (member_ == nullptr) return;
    if (depth_ == 1) {
      member_->kind = kind;
      member_->text = text;
    } else if (member_->kind == Kind::strings && kind == Kind::string) {
      member_->strings.emplace_back(text);
    } else {
      member_->kind = Kind::other;
    }
  }
  void end() {
    if (member_ != nullptr && depth_ == 1) member_->json = json_.take();
  }

  JsonMembers members_;
  JsonMember* member_ = nullptr;  // the member that is being read
  JsonWriter json_;               // its value so far
  size_t depth_ = 0;
  bool is_object_ = false;
  bool repeated_ = false;
};

}  // namespace

Or<JsonMembers> json_members(std::string_view text) {
  MembersReader reader;
  if (auto read = read_json(text, reader); !read) return std::move(read).error();
  return reader.take();
}

}  // namespace letterbox
