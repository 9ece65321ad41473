// SPDX-License-Identifier: MIT
//
// HTTP/1.1 as a client speaks it to a server it trusts: keep-alive connections to one loopback
// address, requests given as finished text, answers by Content-Length or chunked, and streams of
// events as they come. No more than the benchmark needs, so that the generator stays cheap compared
// to the servers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event_loop.h"
#include "event_stream.h"
#include "fd.h"

namespace letterbox::bench {

struct HttpAnswer {
  int status = 0;
  bool closes = false;    // the server closes the connection after it
  bool goes_on = false;   // this is a part of a stream, and not its last one
  std::string_view head;  // the header lines
  std::string_view body;  // chunks already joined; of a stream: events, each whole
  int64_t read_at = 0;    // ns, when its last byte was read

  /// Empty if there is none. `name` as the server writes it, except its case.
  std::string_view header(std::string_view name) const;
};

/// /// Reads one answer from the front of `bytes`, or the head of one that goes on. 0: it isn't
/// whole yet. -1: it is not HTTP. Else its length. `answer` points into `bytes`, or into `joined`
/// if the body came in several chunks.
ptrdiff_t parse_answer(std::string_view bytes, HttpAnswer& answer, std::string& joined);

/// Appends a request. `target` and `name` together are its path and query.
void append_post(std::string& out, std::string_view target, std::string_view name,
                 std::string_view type, std::string_view body);

class HttpConnection;

/// The sender of the requests. May send and close from within both.
class HttpOwner {
 public:
  virtual ~HttpOwner() = default;
  /// Of a stream: its head, and then each part as it comes.
  virtual void on_answer(HttpConnection& connection, const HttpAnswer& answer) = 0;
  /// The connection ended, or had an answer that is not HTTP, with requests unanswered.
  virtual void on_lost(HttpConnection& connection) = 0;
};

/// What all connections to one server share.
struct HttpPeer {
  HttpPeer(EventLoop& event_loop, uint16_t tcp_port)
      : loop(event_loop), port(tcp_port), buffer(1 << 18) {}

  EventLoop& loop;
  const uint16_t port;       // of 127.0.0.1
  std::vector<char> buffer;  // read() goes here: ten thousand connections need no buffer each
  std::string joined;
};

/// /// One keep-alive connection. Connects when it first has something to send, and again if the
/// server closed it between requests. It neither moves nor dies while its loop turns.
class HttpConnection final : public EventHandler {
 public:
  /// /// `source` are the last two bytes of the address it connects from, 127.0.x.y, so that the
  /// ports that one crowd has used up are free for the next.
  HttpConnection(HttpPeer& peer, HttpOwner& owner, size_t tag, uint16_t source = 1)
      : peer_(peer), owner_(owner), tag_(tag), source_(source) {}
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  size_t tag() const { return tag_; }  // the owner's own mark
  size_t unanswered() const { return unanswered_; }

  /// Several may be under way: they are pipelined, and answered in order.
  void send(std::string_view request, size_t requests = 1);
  void close();

 private:
  void on_event(uint32_t events) override;
  void connect();
  void lose();
  void write_rest();
  void read_some();
  /// The length of the whole answers, or parts of a stream, in it.
  size_t consume(std::string_view bytes);
  ptrdiff_t take(std::string_view bytes, HttpAnswer& answer);

  HttpPeer& peer_;
  HttpOwner& owner_;
  const size_t tag_;
  const uint16_t source_;

  Fd fd_;
  uint64_t life_ = 0;  // counts connects and closes: tells a callback's caller what happened in it
  size_t unanswered_ = 0;
  bool connecting_ = false;
  std::string unsent_;
  std::string unread_;                // the front of an answer that isn't whole yet
  std::optional<StreamBody> stream_;  // the answer that is coming
};

/// Makes one request on a connection of its own and waits for its answer. The status; 0: no answer
/// by the deadline.
int http_status(uint16_t port, std::string_view request, int64_t deadline);

}  // namespace letterbox::bench
