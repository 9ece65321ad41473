// SPDX-License-Identifier: MIT
//
// model/json.h: JSON from outside, compared with a second reader that only says whether it is JSON.
#include "model/json.h"

#include "base/text.h"
#include "model/json_reader.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

// By recursive descent along the grammar of RFC 8259.
class Judge {
 public:
  explicit Judge(std::string_view text) : text_(text) {}

  bool is_json() { return valid_utf8(text_) && value(0) && (blanks(), at_ == text_.size()); }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void blanks() {
    while (take(' ') || take('\t') || take('\n') || take('\r')) continue;
  }
  bool digits() {
    const size_t begin = at_;
    while (next() >= '0' && next() <= '9') ++at_;
    return at_ > begin;
  }

  bool value(size_t depth) {
    blanks();
    if (next() == '{') return depth < kJsonDepthMax && object(depth + 1);
    if (next() == '[') return depth < kJsonDepthMax && array(depth + 1);
    if (next() == '"') return string();
    return take("true") || take("false") || take("null") || number();
  }
  bool object(size_t depth) {
    take('{');
    blanks();
    if (take('}')) return true;
    do {
      blanks();
      if (!string() || (blanks(), !take(':')) || !value(depth)) return false;
      blanks();
    } while (take(','));
    return take('}');
  }
  bool array(size_t depth) {
    take('[');
    blanks();
    if (take(']')) return true;
    do {
      if (!value(depth)) return false;
      blanks();
    } while (take(','));
    return take(']');
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size() && static_cast<unsigned char>(next()) >= 0x20) {
      if (take('"')) return true;
      if (next() != '\\') {
        ++at_;
      } else if (!escape()) {
        return false;
      }
    }
    return false;
  }
  bool escape() {
    take('\\');
    if (take('u')) {
      const int unit = code_unit();
      if (unit >= 0xD800 && unit < 0xDC00) {
        const int low = take("\\u") ? code_unit() : -1;
        return low >= 0xDC00 && low < 0xE000;
      }
      return unit >= 0 && (unit < 0xDC00 || unit >= 0xE000);
    }
    for (const char c : std::string_view("\"\\/bfnrt")) {
      if (take(c)) return true;
    }
    return false;
  }
  int code_unit() {
    int unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// The meaning of a document, whatever its form.
class Meaning final : public JsonEvents {
 public:
  void begin_object() override { says += '{'; }
  void end_object() override { says += '}'; }
  void begin_array() override { says += '['; }
  void end_array() override { says += ']'; }
  void key(std::string_view name) override { add('k', name); }
  void string(std::string_view text) override { add('s', text); }
  void number(std::string_view as_written) override { add('n', as_written); }
  void boolean(bool value) override { says += value ? 't' : 'f'; }
  void null() override { says += '0'; }

  std::string says;

 private:
  void add(char kind, std::string_view text) {
    must(valid_utf8(text), "texts are UTF-8");
    says += kind + std::to_string(text.size()) + ':';
    says += text;
  }
};

std::string meaning_of(std::string_view json) {
  Meaning meaning;
  must(static_cast<bool>(read_json(json, meaning)), "compact JSON is read again");
  return meaning.says;
}

}  // namespace

void try_one(std::string_view input) {
  const auto compact = compact_json(input);
  must(static_cast<bool>(compact) == Judge(input).is_json(), "JSON is taken, and nothing else");
  if (!compact) {
    must(compact.error().code == Code::bad_json && valid_utf8(compact.error().message),
         "it can only be bad JSON");
    return;
  }
  must(meaning_of(*compact) == meaning_of(input), "compact JSON means the same");
  must(compact_json(*compact).value() == *compact, "and can't be made more compact");
  for (const char c : *compact) {
    must(static_cast<unsigned char>(c) >= 0x20, "no control character is left in it");
  }
}

}  // namespace letterbox::fuzz
