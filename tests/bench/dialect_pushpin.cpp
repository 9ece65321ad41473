// SPDX-License-Identifier: MIT
#include "dialect.h"

namespace letterbox::bench {
namespace {

/// There is no cursor: a poll gets the first message that is published while it waits.
class PushpinDialect final : public Dialect {
 public:
  void append_poll(std::string& out, std::string_view user, std::string_view) const override {
    out += "GET /sub?id=";
    out += user;
    out += " HTTP/1.1\r\nHost: bench\r\n\r\n";
  }

  void append_push(std::string& out, const Letter& letter) const override {
    std::string json = R"({"items":[{"channel":")";
    json += letter.user;
    json += R"(","formats":{"http-response":{"body":")";
    json += letter.body;  // needs no escapes, see message.h
    json += R"("}}}]})";
    append_post(out, "/publish/", "", "application/json", json);
  }

  bool keeps_between_polls() const override { return false; }

  PollReading read_poll(const HttpAnswer& answer, std::string&,
                        std::vector<std::string_view>& bodies) override {
    bodies.clear();
    PollReading reading;
    if (answer.status != 200) return reading;
    reading.kind = answer.body.empty() ? PollReading::nothing : PollReading::messages;
    if (!answer.body.empty()) bodies.push_back(answer.body);
    return reading;
  }
};

}  // namespace

std::unique_ptr<Dialect> pushpin_dialect() { return std::make_unique<PushpinDialect>(); }

}  // namespace letterbox::bench
