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

}  // namespace

Or<std::string> compact_json(std::string_view text) {
  Compactor compactor;
  if (auto read = read_json(text, compactor); !read) return std::move(read).error();
  return compactor.take();
}

}  // namespace letterbox
