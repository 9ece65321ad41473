// SPDX-License-Identifier: MIT
//
// A worker's share of the FastCGI traffic: accepts connections from nginx, keeps them from request
// to request, reads a request when one is there, and gives it to the handler together with the
// answer it is owed. Idle kept connections and parked polls hold no thread.
//
// One switchboard a worker, all on the same listening socket. Everything runs on the worker's loop.
// A request that has not arrived whole (a large body, a peer that went silent) is left to the slow
// reader, which takes it piece by piece, with a time limit.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "fastcgi/answer.h"
#include "fastcgi/connection.h"
#include "fastcgi/request.h"
#include "fastcgi/slow_reader.h"
#include "fastcgi/wire.h"

namespace letterbox {

class Switchboard final : public Loop::Watcher {
 public:
  // Called on the loop's thread. Must not block.
  using Handler = std::function<void(const Request&, Answer)>;

  // `listen_fd` is a listening socket, non-blocking, shared by all workers; it is not closed here.
  // `body_max` is in bytes, `most` connections are held at a time: others wait in the backlog.
  Switchboard(Loop& loop, int listen_fd, size_t body_max, size_t most, Log& log, Handler handler);
  ~Switchboard() override;

  void on_ready(uint32_t events) override;

  // The loop's thread. The end comes in two steps. First nginx is made to give up the connections
  // it keeps, while requests and new connections are served as ever; each gets one answer.
  void retire_connections();
  // Then those who wait in the backlog by now are taken in, and nobody after them.
  void stop_accepting();

  // Any thread: requests that were read and not yet answered.
  size_t open_exchanges() const { return exchanges_; }
  // Any thread: connections from nginx, and requests that wait for the slow reader.
  size_t open_connections() const { return static_cast<size_t>(open_connections_.value()); }
  size_t slow_requests() const { return slow_reader_.waiting(); }

  // For Connection.
  void read_request(const std::shared_ptr<Connection>& connection);
  void forget(const std::shared_ptr<Connection>& connection);
  void exchange_ended() { --exchanges_; }

 private:
  enum class Take { done, again, full };
  Take accept_one();
  bool make_room();
  void pause_accepting();
  void serve(const FCGX_Request& wire, const Request& request,
             const std::shared_ptr<Connection>& connection);
  void read_slowly(const std::shared_ptr<Connection>& connection);

  // Constant after construction.
  Loop& loop_;
  const int listen_fd_;
  const size_t body_max_;
  const size_t most_;
  Log& log_;
  const Handler handler_;

  // The loop's thread only.
  bool accepting_ = true;
  bool retiring_ = false;
  bool full_ = false;  // it was, and that was logged
  std::unordered_map<int, std::shared_ptr<Connection>> connections_;
  std::vector<unsigned char> peeked_;
  std::unique_ptr<FCGX_Request> reader_;

  Gauge open_connections_;
  SlowReader slow_reader_;
  GatheredWire gathered_wire_;

  std::atomic<size_t> exchanges_{0};
};

}  // namespace letterbox
