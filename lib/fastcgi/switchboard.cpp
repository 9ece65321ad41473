// SPDX-License-Identifier: MIT
#include "fastcgi/switchboard.h"

#include <fcgiapp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fastcgi/records.h"

namespace letterbox {

namespace {

// Requests longer than this are left to the slow reader.
constexpr size_t kPeekMax = 65'536;
constexpr int kAcceptsATurn = 128;
constexpr uint64_t kPauseMs = 100;

}  // namespace

Switchboard::Switchboard(Loop& loop, int listen_fd, size_t body_max, size_t most, Log& log,
                         Handler handler)
    : loop_(loop),
      listen_fd_(listen_fd),
      body_max_(body_max),
      most_(most),
      log_(log),
      handler_(std::move(handler)),
      peeked_(kPeekMax),
      reader_(std::make_unique<FCGX_Request>()),
      slow_reader_(loop, body_max) {
  FCGX_Init();
  if (!loop_.watch(listen_fd_, EPOLLIN | EPOLLEXCLUSIVE, this)) pause_accepting();
}

Switchboard::~Switchboard() {
  for (auto& [fd, connection] : connections_) connection->close();
}

void Switchboard::retire_connections() {
  retiring_ = true;
  for (auto& [fd, connection] : connections_) connection->retire();
}

void Switchboard::stop_accepting() {
  if (!accepting_) return;
  accepting_ = false;
  loop_.unwatch(listen_fd_, this);
  while (accept_one() == Take::again) {
  }
}

void Switchboard::on_ready(uint32_t) {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    switch (accept_one()) {
      case Take::again:
        continue;
      case Take::done:
        return;
      case Take::full:
        if (make_room()) continue;
        pause_accepting();
        return;
    }
  }
}

Switchboard::Take Switchboard::accept_one() {
  if (connections_.size() >= most_) return Take::full;
  Fd fd(accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    if (errno == EINTR || errno == ECONNABORTED) return Take::again;
    return errno == EAGAIN ? Take::done : Take::full;
  }
  const int number = fd.get();
  auto connection = std::make_shared<Connection>(*this, loop_, std::move(fd));
  if (!loop_.watch(number, EPOLLIN | EPOLLRDHUP, connection.get())) {
    log_.warn("a new connection is closed, since it can't be watched: ", std::strerror(errno));
    connection->close();
    return Take::again;
  }
  if (retiring_) connection->retire();
  connections_[number] = std::move(connection);
  open_connections_.set(static_cast<int64_t>(connections_.size()));
  full_ = false;
  return Take::again;
}

// Out of descriptors (or memory): a connection on which nobody asks anything makes room. Each of
// nginx's workers keeps some for itself, and what another one asks would wait for a minute behind.
bool Switchboard::make_room() {
  const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                 [](const auto& entry) { return entry.second->close_idle(); });
  if (idle == connections_.end()) return false;
  connections_.erase(idle);
  open_connections_.set(static_cast<int64_t>(connections_.size()));
  return true;
}

// Where there is no room, who asks to come in waits in the backlog, those inside go on, and this
// thread does not spin on the socket that stays readable.
void Switchboard::pause_accepting() {
  if (!std::exchange(full_, true)) {
    log_.warn("no room for another connection beside ", connections_.size(), ", until some close");
  }
  loop_.unwatch(listen_fd_, this);
  loop_.at(loop_.now_ms() + kPauseMs, [this] {
    if (!accepting_) return;
    if (!loop_.watch(listen_fd_, EPOLLIN | EPOLLEXCLUSIVE, this)) pause_accepting();
  });
}

void Switchboard::forget(const std::shared_ptr<Connection>& connection) {
  const auto found = connections_.find(connection->fd());
  if (found == connections_.end() || found->second != connection) return;
  connections_.erase(found);
  open_connections_.set(static_cast<int64_t>(connections_.size()));
}

void Switchboard::read_request(const std::shared_ptr<Connection>& connection) {
  const ssize_t n = recv(connection->fd(), peeked_.data(), peeked_.size(), MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const auto arrival =
      n <= 0 ? Arrival::broken : look_at_request({peeked_.data(), static_cast<size_t>(n)});
  switch (arrival) {
    case Arrival::broken:
      connection->close();
      forget(connection);
      return;
    case Arrival::partial:
      read_slowly(connection);
      return;
    case Arrival::whole:
      break;
  }
  if (read_wire(*reader_, connection->fd())) {
    serve(*reader_, to_request(*reader_, body_max_), connection);
  } else {
    connection->disown();
    forget(connection);
  }
  FCGX_Free(reader_.get(), 0);
}

void Switchboard::serve(const FCGX_Request& wire, const Request& request,
                        const std::shared_ptr<Connection>& connection) {
  ++exchanges_;
  connection->begin(static_cast<uint16_t>(wire.requestId), wire.keepConnection != 0);
  handler_(request, Answer(connection));
}

void Switchboard::read_slowly(const std::shared_ptr<Connection>& connection) {
  connection->to_slow_reader();
  ++exchanges_;  // the end of the program waits for it
  slow_reader_.add(connection->fd(), [this, connection](std::optional<Gathering> gathered) {
    const bool watched = connection->from_slow_reader();
    if (watched && gathered && gathered_wire_.read(*reader_, gathered->head())) {
      Request request = to_request(*reader_, body_max_);
      request.head_too_large = gathered->head_too_large();
      request.body_too_large = gathered->body_too_large();
      request.body = gathered->take_body();
      serve(*reader_, request, connection);
    } else {
      connection->close();
      forget(connection);
    }
    FCGX_Free(reader_.get(), 0);
    exchange_ended();
  });
}

}  // namespace letterbox
