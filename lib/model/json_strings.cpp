// SPDX-License-Identifier: MIT
#include "model/json_strings.h"

#include <utility>

#include "model/json_reader.h"

namespace letterbox {
namespace {

class StringsReader final : public JsonEvents {
 public:
  explicit StringsReader(size_t most) : most_(most) {}

  void begin_object() override { other(); }
  void end_object() override {}
  void begin_array() override {
    if (depth_ > 0) other();
    ++depth_;
  }
  void end_array() override { --depth_; }
  void key(std::string_view) override {}
  void string(std::string_view text) override {
    if (depth_ != 1) return other();
    if (strings_.size() <= most_) strings_.emplace_back(text);
  }
  void number(std::string_view) override { other(); }
  void boolean(bool) override { other(); }
  void null() override { other(); }

  Or<std::vector<std::string>> take() {
    if (other_) return Error{Code::bad_request, "a JSON array of strings is wanted"};
    return std::move(strings_);
  }

 private:
  void other() { other_ = true; }

  const size_t most_;
  size_t depth_ = 0;
  bool other_ = false;  // there is something that is no string of the array
  std::vector<std::string> strings_;
};

}  // namespace

Or<std::vector<std::string>> json_strings(std::string_view text, size_t most) {
  StringsReader reader(most);
  if (auto read = read_json(text, reader); !read) return std::move(read).error();
  return reader.take();
}

}  // namespace letterbox
