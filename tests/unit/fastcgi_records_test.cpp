// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "fastcgi/records.h"
#include "model/error.h"
#include "tests/unit/fake_records.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

Arrival look(std::string_view bytes) {
  return look_at_request({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

const std::string kBegin = Record{Record::begin_request, 1, "\0\1\1\0\0\0\0\0"s}.bytes();
const std::string kParams = Record{Record::params, 1, "\x0e\x04REQUEST_METHODPOST"s, 3}.bytes() +
                            Record{Record::params}.bytes();
const std::string kNoInput = Record{Record::in}.bytes();

// --- a request that arrives --------------------------------------------------------------------

TEST_CASE(
    "a request is whole once the end of its input is there, and partial at every byte before") {
  const std::string request = kBegin + kParams + Record{Record::in, 1, "hello", 3}.bytes() +
                              Record{Record::in, 1, std::string(65535, 'x'), 255}.bytes() +
                              kNoInput;
  CHECK(look(request) == Arrival::whole);
  size_t partial = 0;
  for (size_t size = 0; size < request.size(); ++size) {
    if (look(request.substr(0, size)) == Arrival::partial) ++partial;
  }
  CHECK(partial == request.size());
}

TEST_CASE("a request without a body is whole") {
  CHECK(look(kBegin + kParams + kNoInput) == Arrival::whole);
}

TEST_CASE("libfcgi must not read padding at the end of a stream, elsewhere it may") {
  const std::string begin = Record{Record::begin_request, 1, "\0\1\1\0\0\0\0\0"s, 1}.bytes();
  CHECK(look(begin.substr(0, 8)) == Arrival::padded);
  CHECK(look(begin + kParams + kNoInput) == Arrival::padded);
  const std::string no_params = Record{Record::params, 1, "", 8}.bytes();
  CHECK(look(kBegin + no_params + kNoInput) == Arrival::padded);
  CHECK(look(kBegin + kParams + Record{Record::in, 1, "", 255}.bytes()) == Arrival::padded);
  CHECK(look(kBegin + kParams + Record{Record::in, 1, "x", 255}.bytes() + kNoInput) ==
        Arrival::whole);
}

TEST_CASE("a request with anything after it is broken: its peer does not wait for the answer") {
  CHECK(look(kBegin + kParams + kNoInput + kBegin.substr(0, 3)) == Arrival::broken);
  CHECK(look(kBegin + kParams + kNoInput + "garbage") == Arrival::broken);
}

TEST_CASE("an empty record of parameters does not end a request") {
  CHECK(look(kBegin + Record{Record::params}.bytes()) == Arrival::partial);
}

TEST_CASE("a question about the program may come before a request") {
  const std::string values = Record{Record::get_values, 0, "\x0f\0FCGI_MPXS_CONNS"s, 7}.bytes();
  CHECK(look(values) == Arrival::partial);
  CHECK(look(values + kBegin + kParams + kNoInput) == Arrival::whole);
}

TEST_CASE("bytes that no FastCGI peer would send are broken") {
  for (const auto& bytes :
       {"GET / HTTP/1.1\r\n\r\n"s, std::string(100, '\0'), std::string(8, '\xff'),
        "\x02"s + kBegin.substr(1), kParams, kNoInput, Record{0}.bytes(),
        Record{Record::abort_request}.bytes(), Record{Record::out}.bytes(),
        kBegin + "GET / HTTP/1.1\r\n\r\n", kBegin + kParams + "\0\5\0\1\0\0\0\0"s}) {
    CAPTURE(bytes);
    CHECK(look(bytes) == Arrival::broken);
  }
}

TEST_CASE("less than a record's head says nothing yet") {
  CHECK(look("") == Arrival::partial);
  CHECK(look("GET /") == Arrival::partial);
}

TEST_CASE("no garbage is read past its end") {
  std::mt19937 chance(20);
  for (int i = 0; i < 20'000; ++i) {
    // On the heap and of exactly that size, so that a sanitizer sees each byte too many.
    std::vector<unsigned char> bytes(chance() % 64);
    for (auto& byte : bytes) byte = static_cast<unsigned char>(chance() % 3 == 0 ? 1 : chance());
    if (!bytes.empty() && chance() % 4 != 0) bytes[0] = 1;
    if (bytes.size() > 1 && chance() % 4 != 0) bytes[1] = 1;
    const Arrival arrival = look_at_request(bytes);
    if (bytes.size() < 8) CHECK(arrival == Arrival::partial);
  }
}

// --- an answer ---------------------------------------------------------------------------------

TEST_CASE("an answer is its output, the end of the output, and the end of the request") {
  const auto records = parse_records(answer_records(0x1234, {201, "{}", "X-Thing: 1\r\n"}));
  REQUIRE(records.size() == 3);
  for (const auto& record : records) CHECK(record.id == 0x1234);
  CHECK(records[0].type == Record::out);
  CHECK(records[0].content ==
        "Status: 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n"
        "X-Thing: 1\r\n\r\n{}");
  CHECK(records[1].type == Record::out);
  CHECK(records[1].content.empty());
  CHECK(records[2].type == Record::end_request);
  CHECK(records[2].content == "\0\0\0\0\0\0\0\0"s);
}

TEST_CASE("bodies of every length come back as they were, in records that are aligned") {
  const size_t head = parse_records(answer_records(1, {200, ""}))[0].content.size();
  std::vector<size_t> sizes{0,     1,     7,     8,     9,      65527,  65528,
                            65529, 65535, 65536, 65537, 131056, 200'000};
  // Sizes at which head and body just fill a record.
  for (size_t size = 65528 - head - 8; size <= 65528 - head + 8; ++size) sizes.push_back(size);
  for (const size_t size : sizes) {
    CAPTURE(size);
    std::string body(size, '\0');
    for (size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i % 251);
    const std::string bytes = answer_records(7, {200, body});
    CHECK(bytes.size() % 8 == 0);
    const auto records = parse_records(bytes);
    REQUIRE(records.size() >= 3);
    for (size_t i = 0; i + 2 < records.size(); ++i) {
      CHECK(records[i].type == Record::out);
      CHECK(records[i].id == 7);
      CHECK_FALSE(records[i].content.empty());  // that would be the end
      CHECK((records[i].content.size() + records[i].padding) % 8 == 0);
    }
    CHECK(records[records.size() - 2].content.empty());
    CHECK(records.back().type == Record::end_request);
    const auto answer = parse_answer(bytes);
    CHECK((answer.body == body));
    CHECK(answer.header("Content-Length") == std::to_string(size));
  }
}

TEST_CASE("an answer without its body still tells its length, and stays aligned") {
  const std::string bytes =
      answer_records(1, {.status = 200, .body = "12345", .without_body = true});
  CHECK(bytes.size() % 8 == 0);
  const auto answer = parse_answer(bytes);
  CHECK(answer.header("Content-Length") == "5");
  CHECK(answer.body.empty());
}

TEST_CASE("each status of the contract has its phrase, and so has each error code's") {
  const std::map<int, std::string> phrases{{200, "OK"},
                                           {201, "Created"},
                                           {202, "Accepted"},
                                           {204, "No Content"},
                                           {400, "Bad Request"},
                                           {401, "Unauthorized"},
                                           {403, "Forbidden"},
                                           {404, "Not Found"},
                                           {405, "Method Not Allowed"},
                                           {409, "Conflict"},
                                           {413, "Content Too Large"},
                                           {429, "Too Many Requests"},
                                           {431, "Request Header Fields Too Large"},
                                           {500, "Internal Server Error"},
                                           {503, "Service Unavailable"}};
  for (const auto& [status, phrase] : phrases) {
    CHECK(parse_answer(answer_records(1, {status, ""})).header("Status") ==
          std::to_string(status) + " " + phrase);
  }
  for (int code = 0; code <= static_cast<int>(Code::unhealthy); ++code) {
    CAPTURE(code);
    CHECK(phrases.contains(info(static_cast<Code>(code)).status));
  }
}

}  // namespace
}  // namespace letterbox::test
