// SPDX-License-Identifier: MIT
//
// A worker's share of the FastCGI traffic. Acceptors give it connections from nginx, which it keeps
// from request to request. It reads each request when it has come, and gives it to the handler
// together with the answer that is owed. Idle connections and parked polls occupy no thread.
//
// Each worker has one switchboard. Everything but give() and the counts runs on the worker's loop.
// Most requests have come whole, and cost one receive. A request that has not (a large body, a peer
// that has paused) goes to the slow reader, which takes it piece by piece, with a time limit.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "fastcgi/answer.h"
#include "fastcgi/connection.h"
#include "fastcgi/records.h"
#include "fastcgi/request.h"
#include "fastcgi/slow_reader.h"
#include "fastcgi/wire.h"

namespace letterbox {

class Switchboard {
 public:
  // Called on the loop's thread. Must not block.
  using Handler = std::function<void(const Request&, Answer)>;

  // `body_max`: the longest body, in bytes. `most`: the most connections. `receives`: the
  // switchboard takes requests off their connections itself; else it only looks at them, and
  // libfcgi takes them off.
  Switchboard(Loop& loop, size_t body_max, size_t most, Log& log, Handler handler,
              bool receives = libfcgi_takes_bytes());
  ~Switchboard();
  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  // Any thread: takes over an accepted connection, which counts as open at once.
  void give(Fd fd);

  // The loop's thread: closes one idle connection. False: there is none.
  bool close_an_idle_one();
  // The loop's thread: makes nginx close the connections it keeps. Requests and new connections are
  // still served, one answer a connection.
  void retire_connections();

  // Any thread: requests that were read, or are arriving, and are not yet answered.
  size_t open_exchanges() const { return exchanges_; }
  // Any thread: connections from nginx.
  size_t open_connections() const { return open_connections_; }
  bool full() const { return open_connections_ >= most_; }
  // Any thread: requests that wait for the slow reader.
  size_t slow_requests() const { return slow_reader_.waiting(); }

  // For Connection.
  void read_request(const std::shared_ptr<Connection>& connection);
  void forget(const std::shared_ptr<Connection>& connection);
  void exchange_ended() { --exchanges_; }

 private:
  using Bytes = std::span<const unsigned char>;

  void take_in(Fd fd);
  Arrival look_further(int fd, size_t taken);
  void serve(const FCGX_Request& wire, const Request& request,
             const std::shared_ptr<Connection>& connection);
  void read_slowly(const std::shared_ptr<Connection>& connection, Bytes received);

  // Constant after construction.
  Loop& loop_;
  const size_t body_max_;
  const size_t most_;
  Log& log_;
  const Handler handler_;
  const bool receives_;

  // The loop's thread only.
  bool retiring_ = false;
  std::unordered_map<int, std::shared_ptr<Connection>> connections_;
  std::vector<unsigned char> bytes_;  // the request that is being read
  std::unique_ptr<FCGX_Request> reader_;

  SlowReader slow_reader_;
  GatheredWire gathered_wire_;

  std::atomic<size_t> exchanges_{0};
  std::atomic<size_t> open_connections_{0};  // including those given but not yet taken in
};

}  // namespace letterbox
