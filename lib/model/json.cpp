// SPDX-License-Identifier: MIT
#include "model/json.h"

#include <utility>

#include "model/json_reader.h"

namespace letterbox {
namespace {

class Compactor final : public JsonEvents {
 public:
  void begin_object() override { json_.begin_object(); }
  void end_object() override { json_.end_object(); }
  void begin_array() override { json_.begin_array(); }
  void end_array() override { json_.end_array(); }
  void key(std::string_view name) override { json_.key(name); }
  void string(std::string_view text) override { json_.string(text); }
  void number(std::string_view as_written) override { json_.raw(as_written); }
  void boolean(bool value) override { json_.boolean(value); }
  void null() override { json_.null(); }

  std::string take() { return json_.take(); }

 private:
  JsonWriter json_;
};

// Takes the text of a document that is one string.
class TextReader final : public JsonEvents {
 public:
  void begin_object() override { ++depth_; }
  void end_object() override { --depth_; }
  void begin_array() override { ++depth_; }
  void end_array() override { --depth_; }
  void key(std::string_view) override {}
  void string(std::string_view text) override {
    if (depth_ == 0) text_ = text;
  }
  void number(std::string_view) override {}
  void boolean(bool) override {}
  void null() override {}

  std::string take() { return std::move(text_); }

 private:
  size_t depth_ = 0;
  std::string text_;
};

}  // namespace

Or<std::string> compact_json(std::string_view text) {
  Compactor compactor;
  if (auto read = read_json(text, compactor); !read) return std::move(read).error();
  return compactor.take();
}

std::string json_text(std::string_view json) {
  TextReader reader;
  return read_json(json, reader) ? reader.take() : std::string();
}

}  // namespace letterbox
