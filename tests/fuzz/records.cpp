// SPDX-License-Identifier: MIT
//
// fastcgi/records.h: the bytes that wait on a connection, before libfcgi reads them; and answers.
#include "fastcgi/records.h"

#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_records.h"

namespace letterbox::fuzz {
namespace {

Arrival look(std::string_view bytes) {
  return look_at_request({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

// Byte by byte, as they come in.
void try_arriving(std::string_view input) {
  Arrival before = Arrival::partial;
  for (size_t size = 0; size <= input.size() && size < 4096; ++size) {
    const Arrival now = look(input.substr(0, size));
    must(before == Arrival::partial || now == before ||
             (before == Arrival::whole && now == Arrival::broken),
         "a padded or broken request remains so, and nothing comes after a whole one");
    before = now;
  }
}

void try_answering(std::string_view input) {
  const std::string bytes = answer_records(258, {.status = 200, .body = std::string(input)});
  for (const auto& record : test::parse_records(bytes)) {
    must(record.id == 258, "each record of an answer names its request");
    must((record.content.size() + record.padding) % 8 == 0, "and is aligned");
  }
  const auto answer = test::parse_answer(bytes);
  must(answer.body == input && answer.status() == 200, "an answer arrives as it was given");
  must(answer.header("Content-Length") == std::to_string(input.size()), "and says its length");
}

}  // namespace

void try_one(std::string_view input) {
  try_arriving(input);
  try_answering(input);
}

}  // namespace letterbox::fuzz
