// SPDX-License-Identifier: MIT
#include "dialect.h"

namespace letterbox::bench {
namespace {

/// The cursor is kept as the two request headers that carry it.
class NchanDialect : public Dialect {
 public:
  void append_poll(std::string& out, std::string_view user,
                   std::string_view cursor) const override {
    out += "GET /sub?id=";
    out += user;
    out += " HTTP/1.1\r\nHost: bench\r\n";
    out += cursor;
    out += "\r\n";
  }

  void append_push(std::string& out, const Letter& letter) const override {
    append_post(out, "/pub?id=", letter.user, "text/plain", letter.body);
  }

  PollReading read_poll(const HttpAnswer& answer, std::string& cursor,
                        std::vector<std::string_view>& bodies) override {
    bodies.clear();
    PollReading reading;
    if (answer.status == 304 || answer.status == 408) reading.kind = PollReading::nothing;
    if (answer.status != 200) return reading;
    cursor = "If-Modified-Since: ";
    cursor += answer.header("Last-Modified");
    cursor += "\r\nIf-None-Match: ";
    cursor += answer.header("Etag");
    cursor += "\r\n";
    bodies.push_back(answer.body);
    reading.kind = PollReading::messages;
    return reading;
  }
};

/// Here the cursor is the last event's id. A ping is an event without data.
class NchanStreams final : public NchanDialect {
 public:
  void append_poll(std::string& out, std::string_view user,
                   std::string_view cursor) const override {
    out += "GET /events?id=";
    out += user;
    append_stream_headers(out, cursor);
  }

  PollReading read_poll(const HttpAnswer& part, std::string& cursor,
                        std::vector<std::string_view>& bodies) override {
    return read_part(part, cursor, bodies, [](const ServerEvent&, PollReading&) {});
  }
};

}  // namespace

std::unique_ptr<Dialect> nchan_dialect() { return std::make_unique<NchanDialect>(); }

std::unique_ptr<Dialect> nchan_streams() { return std::make_unique<NchanStreams>(); }

}  // namespace letterbox::bench
