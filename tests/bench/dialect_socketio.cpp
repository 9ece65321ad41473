// SPDX-License-Identifier: MIT
//
// Engine.IO 4 over HTTP polling, and Socket.IO 5 within it, as far as a client needs them: a
// handshake, a connect packet that names the user, polls, and a pong for each ping.
#include <algorithm>

#include "dialect.h"
#include "text.h"

namespace letterbox::bench {
namespace {

constexpr std::string_view kTarget = "/socket.io/?EIO=4&transport=polling";
constexpr char kBetweenPackets = '\x1e';
constexpr std::string_view kEvent = R"(42["message",")";

// A client's next request is the first character of its cursor, before its session's id. An empty
// cursor: a handshake.
constexpr char kConnect = 'c';
constexpr char kPoll = 'p';
constexpr char kPong = 'o';

class SocketIoDialect final : public Dialect {
 public:
  void append_poll(std::string& out, std::string_view user,
                   std::string_view cursor) const override {
    if (cursor.empty()) return append_get(out, {});
    const std::string_view session = cursor.substr(1);
    if (cursor[0] == kPoll) return append_get(out, session);
    if (cursor[0] == kPong) return append_packet(out, session, "3");
    append_packet(out, session, R"(40{"user":")" + std::string(user) + "\"}");
  }

  void append_push(std::string& out, const Letter& letter) const override {
    append_post(out, "/push?to=", letter.user, "text/plain", letter.body);
  }

  PollReading read_poll(const HttpAnswer& answer, std::string& cursor,
                        std::vector<std::string_view>& bodies) override {
    bodies.clear();
    if (answer.status != 200) {
      cursor.clear();  // the session is gone
      return {};
    }
    PollReading reading;
    if (cursor.empty()) {
      const std::string_view session = quoted_after(answer.body, R"("sid":")");
      if (session.empty()) return reading;
      cursor = kConnect + std::string(session);
      reading.kind = PollReading::step;
    } else if (cursor[0] != kPoll) {
      cursor[0] = kPoll;
      if (answer.body == "ok") reading.kind = PollReading::step;
    } else {
      reading.kind = read_packets(answer.body, cursor, bodies);
    }
    return reading;
  }

 private:
  static void append_target(std::string& out, std::string_view method, std::string_view session) {
    out += method;
    out += kTarget;
    if (!session.empty()) {
      out += "&sid=";
      out += session;
    }
    out += " HTTP/1.1\r\nHost: bench\r\n";
  }

  static void append_get(std::string& out, std::string_view session) {
    append_target(out, "GET ", session);
    out += "\r\n";
  }

  static void append_packet(std::string& out, std::string_view session, std::string_view packet) {
    append_target(out, "POST ", session);
    out += "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ";
    out += std::to_string(packet.size());
    out += "\r\n\r\n";
    out += packet;
  }

  /// A poll brings events ("42"), pings ("2"), the answer to the connect packet ("40"), or nothing
  /// but a packet without meaning ("6").
  static PollReading::Kind read_packets(std::string_view payload, std::string& cursor,
                                        std::vector<std::string_view>& bodies) {
    PollReading::Kind kind = PollReading::step;
    while (!payload.empty()) {
      const std::string_view packet = payload.substr(0, payload.find(kBetweenPackets));
      payload.remove_prefix(std::min(packet.size() + 1, payload.size()));
      if (packet.starts_with(kEvent)) {
        bodies.push_back(quoted_after(packet, kEvent));
        kind = PollReading::messages;
      } else if (packet == "2") {
        cursor[0] = kPong;
      } else if (!packet.starts_with("40") && packet != "6") {
        return PollReading::refused;
      }
    }
    return kind;
  }
};

}  // namespace

std::unique_ptr<Dialect> socketio_dialect() { return std::make_unique<SocketIoDialect>(); }

}  // namespace letterbox::bench
