// SPDX-License-Identifier: MIT
#include "fastcgi/switchboard.h"

#include <fcgiapp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/rare.h"
#include "fastcgi/records.h"

namespace letterbox {

Switchboard::Switchboard(Loop& loop, size_t body_max, size_t most, Log& log, Handler handler,
                         bool receives)
    : loop_(loop),
      body_max_(body_max),
      most_(most),
      log_(log),
      handler_(std::move(handler)),
      receives_(receives),
      bytes_(kLookedAtBytes),
      reader_(std::make_unique<FCGX_Request>()),
      slow_reader_(loop, body_max) {
  FCGX_Init();
}

Switchboard::~Switchboard() {
  for (auto& [fd, connection] : connections_) connection->close();
}

void Switchboard::give(Fd fd) {
  ++open_connections_;
  loop_.post([this, owned = std::move(fd)]() mutable { take_in(std::move(owned)); });
}

void Switchboard::take_in(Fd fd) {
  const int number = fd.get();
  auto connection = std::make_shared<Connection>(*this, loop_, std::move(fd));
  if (!loop_.watch(number, EPOLLIN | EPOLLRDHUP, connection.get())) {
    rare<"a new connection can't be watched">();
    log_.warn("a new connection is closed, since it can't be watched: ", std::strerror(errno));
    connection->close();
    --open_connections_;
    return;
  }
  if (retiring_) connection->retire();
  connections_[number] = std::move(connection);
}

bool Switchboard::close_an_idle_one() {
  const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                 [](const auto& entry) { return entry.second->close_idle(); });
  if (idle == connections_.end()) return false;
  rare<"an idle connection makes room for another">();
  assert(open_connections_ > 0);
  connections_.erase(idle);
  --open_connections_;
  return true;
}

void Switchboard::retire_connections() {
  retiring_ = true;
  for (auto& [fd, connection] : connections_) connection->retire();
}

void Switchboard::forget(const std::shared_ptr<Connection>& connection) {
  const auto found = connections_.find(connection->fd());
  if (found == connections_.end() || found->second != connection) return;
  assert(open_connections_ > 0);
  connections_.erase(found);
  --open_connections_;
}

void Switchboard::read_request(const std::shared_ptr<Connection>& connection) {
  const int fd = connection->fd();
  const ssize_t n = recv(fd, bytes_.data(), kTakenBytes, receives_ ? 0 : MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const Bytes seen(bytes_.data(), static_cast<size_t>(std::max<ssize_t>(n, 0)));
  const Bytes taken = receives_ ? seen : Bytes();
  auto arrival = seen.empty() ? Arrival::broken : look_at_request(seen);
  if (arrival == Arrival::partial && seen.size() == kTakenBytes) {
    arrival = look_further(fd, taken.size());
  }
  switch (arrival) {
    case Arrival::broken:
      connection->close();
      forget(connection);
      return;
    case Arrival::partial:
    case Arrival::padded:
      read_slowly(connection, taken);
      return;
    case Arrival::whole:
      break;
  }
  if (read_wire(*reader_, fd, taken)) {
    serve(*reader_, to_request(*reader_, body_max_), connection);
  } else {
    rare<"libfcgi refuses a request">();
    connection->disown();
    forget(connection);
  }
  FCGX_Free(reader_.get(), 0);
}

// Looks at a long request, of which `taken` bytes have been taken. The rest stays in the socket, so
// that requests which wait for the slow reader take little memory here.
Arrival Switchboard::look_further(int fd, size_t taken) {
  assert(taken < bytes_.size());
  const ssize_t n = recv(fd, &bytes_[taken], bytes_.size() - taken, MSG_PEEK);
  return look_at_request({bytes_.data(), taken + static_cast<size_t>(std::max<ssize_t>(n, 0))});
}

void Switchboard::serve(const FCGX_Request& wire, const Request& request,
                        const std::shared_ptr<Connection>& connection) {
  ++exchanges_;
  connection->begin(static_cast<uint16_t>(wire.requestId), wire.keepConnection != 0);
  handler_(request, Answer(connection));
}

void Switchboard::read_slowly(const std::shared_ptr<Connection>& connection, Bytes received) {
  connection->to_slow_reader();
  ++exchanges_;  // the end of the program waits for it
  slow_reader_.add(connection->fd(), received,
                   [this, connection](std::optional<Gathering> gathered) {
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
