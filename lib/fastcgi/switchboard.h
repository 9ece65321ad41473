// SPDX-License-Identifier: MIT
//
// A worker's share of the FastCGI traffic: keeps connections from nginx, which acceptors give it,
// from request to request, reads a request when one is there, and gives it to the handler together
// with the answer it is owed. Idle kept connections and parked polls hold no thread.
//
// One switchboard a worker. Everything but give() and the counts runs on the worker's loop.
// A request that has not arrived whole (a large body, a peer that went silent) is left to the slow
// reader, which takes it piece by piece, with a time limit. Most are whole, and cost one receive.
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

  // `body_max` is in bytes. At `most` connections it is full. `receives`: it takes requests off
  // their connections itself; else it looks at them, and libfcgi takes them off.
  Switchboard(Loop& loop, size_t body_max, size_t most, Log& log, Handler handler,
              bool receives = libfcgi_takes_bytes());
  ~Switchboard();
  Switchboard(const Switchboard&) = delete;
  Switchboard& operator=(const Switchboard&) = delete;

  // Any thread: a connection that was accepted is this one's from now on, and counts at once.
  void give(Fd fd);

  // The loop's thread: closes a connection on which nothing is asked. False if there is none.
  bool close_an_idle_one();
  // The loop's thread. nginx is made to give up the connections it keeps, while requests and new
  // connections are served as ever; each gets one answer.
  void retire_connections();

  // Any thread: requests that were read and not yet answered.
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
  std::vector<unsigned char> bytes_;  // of the request that is being read
  std::unique_ptr<FCGX_Request> reader_;

  SlowReader slow_reader_;
  GatheredWire gathered_wire_;

  std::atomic<size_t> exchanges_{0};
  std::atomic<size_t> open_connections_{0};  // those that were given and not taken in yet included
};

}  // namespace letterbox
