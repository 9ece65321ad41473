// SPDX-License-Identifier: MIT
#include "model/envelope.h"

#include <utility>

#include "base/text.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include "model/names.h"
#include "model/seconds.h"

namespace letterbox {
namespace {

enum class Kind { object, array, string, number, yes, no, null };

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::object:
      return "an object";
    case Kind::array:
      return "an array";
    case Kind::string:
      return "a string";
    case Kind::number:
      return "a number";
    case Kind::yes:
      return "true";
    case Kind::no:
      return "false";
    case Kind::null:
      return "null";
  }
  return "";
}

// Counts how deep it is, and takes each value for what it means there. `depth_` counts the objects
// and arrays around the value:
//
//     [                         only a batch has this one: item_depth_ is 1, else 0
//       {                       an item, at item_depth_
//         "to": ["alice"],      a member, at item_depth_ + 1; a recipient, one deeper
//         "data": {"x": [1]}    a member; it and all within go to a writer
//       }, …
class EnvelopeReader final : public JsonEvents {
 public:
  void begin_object() override {
    value(Kind::object, "");
    ++depth_;
  }

  void end_object() override {
    --depth_;
    if (in_data()) {
      data_.end_object();
    } else if (depth_ == item_depth_) {
      finish_item();
    }
  }

  void begin_array() override {
    if (depth_ == 0) {
      envelopes_.batch = true;
      item_depth_ = 1;
    } else {
      value(Kind::array, "");
    }
    ++depth_;
  }

  void end_array() override {
    --depth_;
    if (in_data()) data_.end_array();
  }

  void key(std::string_view name) override {
    if (depth_ == item_depth_ + 1) {
      begin_member(name);
    } else if (in_data()) {
      data_.key(name);
    }
  }

  void string(std::string_view text) override { value(Kind::string, text); }
  void number(std::string_view as_written) override { value(Kind::number, as_written); }
  void boolean(bool value_is) override { value(value_is ? Kind::yes : Kind::no, ""); }
  void null() override { value(Kind::null, ""); }

  Envelopes take() { return std::move(envelopes_); }

 private:
  enum Member : unsigned {
    other = 0,
    to = 1,
    type = 2,
    data = 4,
    ttl = 8,
    collapse = 16,
    idempotency_key = 32,
    delay = 64,
    at = 128
  };

  static Member member_named(std::string_view name) {
    if (name == "to") return to;
    if (name == "type") return type;
    if (name == "data") return data;
    if (name == "ttl") return ttl;
    if (name == "collapse") return collapse;
    if (name == "idempotency_key") return idempotency_key;
    if (name == "delay") return delay;
    if (name == "at") return at;
    return other;
  }

  bool in_data() const { return member_ == data && depth_ > item_depth_; }

  // A value begins. If it is no object or array, `text` is all of it.
  void value(Kind kind, std::string_view text) {
    if (depth_ == item_depth_) {
      begin_item(kind);
    } else if (member_ == data) {
      write(kind, text);
    } else if (depth_ == item_depth_ + 1) {
      take_member(kind, text);
    } else if (depth_ == item_depth_ + 2 && member_ == to) {
      take_recipient(kind, text);
    }
  }

  void begin_item(Kind kind) {
    item_ = Envelope();
    error_.reset();
    seen_ = 0;
    member_ = other;
    if (kind == Kind::object) return;
    fail(Code::bad_envelope, "an envelope must be an object", kind);
    envelopes_.items.emplace_back(*std::exchange(error_, std::nullopt));
  }

  void finish_item() {
    member_ = other;
    item_.data = (seen_ & data) == 0 ? "null" : data_.take();
    if (item_.to.empty()) fail(Code::missing_to, "an envelope must name a recipient in 'to'");
    if (error_) {
      envelopes_.items.emplace_back(*std::exchange(error_, std::nullopt));
    } else {
      envelopes_.items.emplace_back(std::move(item_));
    }
  }

  void begin_member(std::string_view name) {
    member_ = member_named(name);
    if ((seen_ & member_) != 0) {
      fail(Code::bad_envelope, "an envelope may have only one '" + std::string(name) + "'");
      member_ = other;
    }
    seen_ |= member_;
  }

  void take_member(Kind kind, std::string_view text) {
    if (member_ == to) {
      item_.many = kind == Kind::array;
      if (item_.many) return;  // the recipients follow
      take_recipient(kind, text);
    } else if (member_ == type) {
      take_type(kind, text);
    } else if (member_ == ttl) {
      take_ttl(kind, text);
    } else if (member_ == collapse) {
      take_key(kind, text, "'collapse'", valid_collapse_key(text), item_.collapse, bad_collapse());
    } else if (member_ == idempotency_key) {
      take_key(kind, text, "'idempotency_key'", valid_idempotency_key(text), item_.idempotency_key,
               bad_idempotency_key());
    } else if (member_ == delay) {
      take_delay(kind, text);
    } else if (member_ == at) {
      take_at(kind, text);
    }
  }

  void take_recipient(Kind kind, std::string_view text) {
    if (kind != Kind::string) {
      fail(Code::bad_envelope, "'to' must be a user name or an array of them", kind);
    } else {
      item_.to.emplace_back(text);
    }
  }

  void take_type(Kind kind, std::string_view text) {
    if (kind != Kind::string) {
      fail(Code::bad_envelope, "'type' must be a string", kind);
    } else if (!valid_type(text)) {
      fail(Code::bad_type,
           "'type' must be 1 to 64 characters without control characters, and not begin with "
           "'letterbox.'");
    } else {
      item_.type.emplace(text);
    }
  }

  void take_ttl(Kind kind, std::string_view text) {
    if (kind != Kind::number) {
      fail(Code::bad_envelope, "'ttl' must be a number of seconds", kind);
      return;
    }
    item_.ttl_ms = parse_seconds_ms(text);
    if (item_.ttl_ms.value_or(0) == 0) {
      fail(Code::bad_ttl, "'ttl' must be a plain number of seconds, more than 0");
    }
  }

  void take_key(Kind kind, std::string_view text, std::string_view name, bool valid,
                std::string& key, const Error& bad) {
    if (kind != Kind::string) {
      fail(Code::bad_envelope, std::string(name) + " must be a string", kind);
    } else if (!valid) {
      fail(bad.code, bad.message);
    } else {
      key = text;
    }
  }

  void take_delay(Kind kind, std::string_view text) {
    if (kind != Kind::number) return fail(Code::bad_envelope, "'delay' must be a number", kind);
    item_.delay_ms = parse_seconds_ms(text);
    if (!item_.delay_ms) fail(Code::bad_time, "'delay' must be a plain number of seconds");
  }

  void take_at(Kind kind, std::string_view text) {
    if (kind != Kind::number) return fail(Code::bad_envelope, "'at' must be a number", kind);
    item_.at_ms = parse_u64(text);
    if (!item_.at_ms) fail(Code::bad_time, "'at' must be a whole number of ms since 1970");
  }

  void write(Kind kind, std::string_view text) {
    switch (kind) {
      case Kind::object:
        data_.begin_object();
        break;
      case Kind::array:
        data_.begin_array();
        break;
      case Kind::string:
        data_.string(text);
        break;
      case Kind::number:
        data_.raw(text);
        break;
      case Kind::yes:
      case Kind::no:
        data_.boolean(kind == Kind::yes);
        break;
      case Kind::null:
        data_.null();
        break;
    }
  }

  // The sender is told the first error of an item.
  void fail(Code code, std::string message) {
    if (!error_) error_ = Error{code, std::move(message)};
  }
  void fail(Code code, std::string_view must, Kind got) {
    fail(code, std::string(must) + ", got " + std::string(name_of(got)));
  }

  Envelopes envelopes_;    // finished items
  size_t depth_ = 0;       // open objects and arrays
  size_t item_depth_ = 0;  // how many of these are around an item

  // The item that is being read.
  Envelope item_;
  std::optional<Error> error_;
  unsigned seen_ = 0;      // the members it has so far, a set of Member
  Member member_ = other;  // the member that is being read
  JsonWriter data_;
};

}  // namespace

Or<Envelopes> parse_envelopes(std::string_view body) {
  EnvelopeReader reader;
  if (auto read = read_json(body, reader); !read) return std::move(read).error();
  return reader.take();
}

}  // namespace letterbox
