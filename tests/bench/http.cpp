// SPDX-License-Identifier: MIT
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "chunks.h"
#include "clock.h"
#include "failure.h"

namespace letterbox::bench {
namespace {

constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;

bool starts_with_caseless(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

/// The value of the line that starts with `name`, in lines that each end in CRLF.
std::string_view find_header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    if (starts_with_caseless(line, name)) {
      const size_t value = line.find_first_not_of(' ', name.size() + 1);
      return value == std::string_view::npos ? std::string_view() : line.substr(value);
    }
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return {};
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const { return find_header(head, name); }

void append_post(std::string& out, std::string_view target, std::string_view name,
                 std::string_view type, std::string_view body) {
  out += "POST ";
  out += target;
  out += name;
  out += " HTTP/1.1\r\nHost: bench\r\nContent-Type: ";
  out += type;
  out += "\r\nContent-Length: ";
  out += std::to_string(body.size());
  out += "\r\n\r\n";
  out += body;
}

ptrdiff_t parse_answer(std::string_view bytes, HttpAnswer& answer, std::string& joined) {
  const size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return 0;
  const size_t line_end = bytes.find("\r\n");
  if (!bytes.starts_with("HTTP/1.1 ") || line_end < 12) return -1;
  std::from_chars(&bytes[9], &bytes[12], answer.status);
  answer.head = bytes.substr(line_end + 2, head_end + 2 - (line_end + 2));
  answer.closes = answer.header("Connection") == "close";
  answer.goes_on = answer.header("Content-Type").starts_with("text/event-stream");
  answer.body = {};
  const size_t start = head_end + 4;
  if (answer.goes_on) return static_cast<ptrdiff_t>(start);

  if (const auto length = answer.header("Content-Length"); !length.empty()) {
    size_t size = 0;
    std::from_chars(length.data(), length.data() + length.size(), size);
    if (bytes.size() < start + size) return 0;
    answer.body = bytes.substr(start, size);
    return static_cast<ptrdiff_t>(start + size);
  }
  if (!answer.header("Transfer-Encoding").empty()) {
    const ptrdiff_t used = join_chunks(bytes.substr(start), answer.body, joined);
    return used <= 0 ? used : static_cast<ptrdiff_t>(start) + used;
  }
  // Neither: only 204 and 304 have no body, and the benchmark accepts no answer that ends by
  // closing.
  return answer.status == 204 || answer.status == 304 ? static_cast<ptrdiff_t>(start) : -1;
}

void HttpConnection::send(std::string_view request, size_t requests) {
  unanswered_ += requests;
  if (!fd_) connect();
  if (connecting_ || !unsent_.empty()) {
    unsent_ += request;
    return;
  }
  const ssize_t written = ::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (written == static_cast<ssize_t>(request.size())) return;
  // The reader sees a broken connection, so an error here needs no report.
  unsent_ = request.substr(written < 0 ? 0 : static_cast<size_t>(written));
  if (written >= 0 || errno == EAGAIN) peer_.loop.change(fd_.get(), kReading | EPOLLOUT, *this);
}

void HttpConnection::close() {
  ++life_;
  fd_.reset();
  connecting_ = false;
  unanswered_ = 0;
  unsent_.clear();
  unread_.clear();
  stream_.reset();
}

void HttpConnection::connect() {
  ++life_;
  fd_.reset(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) throw system_failure("socket");
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(0x7f000000u | source_);
  if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) {
    throw system_failure("bind to an address of loopback");
  }
  sockaddr_in to = from;
  to.sin_port = htons(peer_.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connecting_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0;
  if (connecting_ && errno != EINPROGRESS) throw system_failure("connect");
  peer_.loop.watch(fd_.get(), connecting_ ? kReading | EPOLLOUT : kReading, *this);
}

void HttpConnection::on_event(uint32_t events) {
  if (fd_ && (events & EPOLLOUT) != 0) write_rest();
  if (fd_ && (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) read_some();
}

void HttpConnection::write_rest() {
  connecting_ = false;
  const ssize_t written = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (written > 0) unsent_.erase(0, static_cast<size_t>(written));
  if (unsent_.empty()) {
    unsent_.shrink_to_fit();
    peer_.loop.change(fd_.get(), kReading, *this);
  }
}

void HttpConnection::read_some() {
  const ssize_t count = recv(fd_.get(), peer_.buffer.data(), peer_.buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return lose();
  const std::string_view fresh(peer_.buffer.data(), static_cast<size_t>(count));
  // Taken out of the member: the owner may close this connection while they are being consumed.
  const std::string kept =
      unread_.empty() ? std::string() : std::move(unread_) + std::string(fresh);
  unread_.clear();
  const std::string_view bytes = kept.empty() ? fresh : std::string_view(kept);
  const uint64_t life = life_;
  const size_t used = consume(bytes);
  if (life == life_ && used < bytes.size()) unread_ = bytes.substr(used);
}

size_t HttpConnection::consume(std::string_view bytes) {
  const uint64_t life = life_;
  HttpAnswer answer;
  answer.read_at = now_ns();
  size_t used = 0;
  while (life == life_ && used < bytes.size()) {
    const ptrdiff_t length = take(bytes.substr(used), answer);
    if (length == 0) break;
    if (length < 0 || unanswered_ == 0) {
      lose();
      break;
    }
    used += static_cast<size_t>(length);
    if (!answer.goes_on) --unanswered_;
    if (answer.closes && !answer.goes_on) {
      const size_t abandoned = unanswered_;
      close();
      if (abandoned > 0) owner_.on_lost(*this);
    }
    owner_.on_answer(*this, answer);
  }
  return used;
}

ptrdiff_t HttpConnection::take(std::string_view bytes, HttpAnswer& answer) {
  if (!stream_) {
    const ptrdiff_t length = parse_answer(bytes, answer, peer_.joined);
    if (length > 0 && answer.goes_on) stream_.emplace(!answer.header("Transfer-Encoding").empty());
    return length;
  }
  answer.status = 200;
  const ptrdiff_t length = stream_->take(bytes, answer.body, peer_.joined);
  answer.goes_on = !stream_->ended();
  if (stream_->ended()) stream_.reset();
  return length;
}

void HttpConnection::lose() {
  const bool waiting = unanswered_ > 0;
  close();
  if (waiting) owner_.on_lost(*this);
}

int http_status(uint16_t port, std::string_view request, int64_t deadline) {
  struct Keeper final : HttpOwner {
    void on_answer(HttpConnection&, const HttpAnswer& answer) override {
      status = answer.status;
      done = true;
    }
    void on_lost(HttpConnection&) override { done = true; }
    int status = 0;
    bool done = false;
  } keeper;
  EventLoop loop;
  HttpPeer peer(loop, port);
  HttpConnection connection(peer, keeper, 0);
  connection.send(request);
  loop.run_until(deadline, [&] { return keeper.done; });
  return keeper.status;
}

}  // namespace letterbox::bench
