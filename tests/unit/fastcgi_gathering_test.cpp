// SPDX-License-Identifier: MIT
//
// Requests that arrive in pieces, and how much of them is kept.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "fastcgi/gathering.h"
#include "tests/unit/fake_records.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

const std::string kRole = "\0\1\1\0\0\0\0\0"s;
const std::string kBegin = Record{Record::begin_request, 7, kRole}.bytes();
const std::string kPair = "\x0e\x04REQUEST_METHODPOST"s;
const std::string kEnd = Record{Record::in, 7}.bytes();

std::string params(const std::string& content, size_t padding = 0) {
  return Record{Record::params, 7, content, padding}.bytes();
}
std::string input(const std::string& content, size_t padding = 0) {
  return Record{Record::in, 7, content, padding}.bytes();
}

// Feeds a request in pieces; returns the result of the last one. Throws if more is wanted than the
// request has.
Arrival feed(Gathering& gathering, std::string_view bytes, size_t piece = 1'000'000) {
  Arrival arrival = Arrival::partial;
  while (arrival == Arrival::partial && !bytes.empty()) {
    const size_t n = std::min({gathering.wants(), piece, bytes.size()});
    REQUIRE(n > 0);
    arrival = gathering.take({reinterpret_cast<const unsigned char*>(bytes.data()), n});
    bytes.remove_prefix(n);
  }
  CHECK(bytes.empty());
  return arrival;
}

TEST_CASE("a request is whole at its last byte, in whatever pieces it comes") {
  const std::string request = kBegin + params(kPair, 3) + params("") + input("hel", 5) +
                              input("lo") + Record{Record::in, 7, "", 8}.bytes();
  for (const size_t piece : {1, 2, 7, 8, 13, 1000}) {
    CAPTURE(piece);
    Gathering gathering(100);
    CHECK(feed(gathering, request, piece) == Arrival::whole);
    CHECK(gathering.take_body() == "hello");
    CHECK_FALSE(gathering.body_too_large());
    const auto records = parse_records(gathering.head());
    REQUIRE(records.size() == 4);
    CHECK(records[0].type == Record::begin_request);
    CHECK(records[0].content == kRole);
    CHECK(records[1].type == Record::params);
    CHECK(records[1].content == kPair);
    CHECK(records[2].type == Record::params);
    CHECK(records[2].content.empty());
    CHECK(records[3].type == Record::in);
    CHECK(records[3].content.empty());
    for (const auto& record : records) CHECK(record.id == 7);
  }
}

TEST_CASE("a body that is too large is not kept, and the request is read to its end") {
  Gathering gathering(100);
  const std::string request = kBegin + params(kPair) + params("") + input(std::string(60, 'x')) +
                              input(std::string(41, 'x')) + input("x") + kEnd;
  CHECK(feed(gathering, request) == Arrival::whole);
  CHECK(gathering.body_too_large());
  CHECK(gathering.take_body().empty());
}

TEST_CASE("a body may be as large as is allowed") {
  Gathering gathering(100);
  CHECK(feed(gathering, kBegin + params(kPair) + params("") + input(std::string(100, 'x')) +
                            kEnd) == Arrival::whole);
  CHECK_FALSE(gathering.body_too_large());
  CHECK(gathering.take_body().size() == 100);
}

TEST_CASE("parameters that are too long are not kept, and the request is read to its end") {
  Gathering gathering(100);
  std::string request = kBegin;
  const std::string many(50'000, '\0');  // pairs without name and value
  for (int i = 0; i < 6; ++i) request += params(many);
  CHECK(feed(gathering, request + params("") + kEnd) == Arrival::whole);
  CHECK(gathering.head_too_large());
  CHECK(parse_records(gathering.head()).size() == 3);
}

TEST_CASE("parameters longer than a record are split again") {
  Gathering gathering(100);
  const std::string many(60'000, '\0');
  CHECK(feed(gathering, kBegin + params(many) + params(many) + params("") + kEnd) ==
        Arrival::whole);
  std::string all;
  for (const auto& record : parse_records(gathering.head())) {
    if (record.type == Record::params) all += record.content;
  }
  CHECK(all == many + many);
}

TEST_CASE("a parameter that announces more than the limit for all is broken") {
  for (const auto& lie : {"\xff\xff\xff\xff\xff\xff\xff\xff"s, "\x80\x04\x00\x01\x00"s,
                          "\x01\x80\x04\x00\x00"s, "\x00\x00\xff"s + "\xff\xff\xff\x00"s}) {
    Gathering gathering(100);
    std::string whole = kBegin;
    whole += params(lie);
    CHECK(feed(gathering, whole) == Arrival::broken);
    whole += params("");
    whole += kEnd;
    CHECK(look_at_request({reinterpret_cast<const unsigned char*>(whole.data()), whole.size()}) ==
          Arrival::broken);
  }
}

TEST_CASE("the announced lengths are followed from record to record") {
  PairLengths lengths;
  const std::string value(200, '\xff');
  const std::string stream = "\x01\x80\x00\x00\xc8n"s + value + "\x01\x01nv"s;
  for (const char byte : stream) {
    const auto one = static_cast<unsigned char>(byte);
    CHECK(lengths.take({&one, 1}));
  }
}

TEST_CASE("a record that does not belong in a request is broken") {
  for (const auto& bytes :
       {"\2"s + kBegin.substr(1, 7), kBegin + kBegin.substr(0, 8),
        kBegin + Record{Record::params, 8, kPair}.bytes().substr(0, 8),
        kBegin + Record{Record::abort_request, 7}.bytes(), params(kPair).substr(0, 8),
        Record{Record::begin_request, 0, kRole}.bytes().substr(0, 8),
        Record{Record::get_values, 0, "\x0f\0FCGI_MPXS_CONNS"s}.bytes().substr(0, 8)}) {
    CAPTURE(bytes);
    Gathering gathering(100);
    CHECK(feed(gathering, bytes) == Arrival::broken);
  }
}

}  // namespace
}  // namespace letterbox::test
