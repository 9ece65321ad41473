// SPDX-License-Identifier: MIT
//
// Which worker a connection from nginx goes to.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "fastcgi/acceptor.h"
#include "fastcgi/switchboard.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

void nobody_asks(const Request&, const Answer&) { FAIL("nothing was asked"); }

std::array<Fd, 2> pair_of_sockets() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no pair of sockets");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

// A listening socket whose name the kernel chooses, and nginx's ends of connections to it.
class Nginx {
 public:
  Nginx() {
    const sockaddr_un unnamed{.sun_family = AF_UNIX, .sun_path = {}};
    if (bind(listening_.get(), reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t)) !=
            0 ||
        ::listen(listening_.get(), 128) != 0 ||
        getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&name_), &size_) != 0) {
      throw std::runtime_error("no listening socket");
    }
  }

  int listening() const { return listening_.get(); }

  void connect(int connections) {
    for (int i = 0; i < connections; ++i) {
      Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name_), size_) != 0) {
        throw std::runtime_error("no connection");
      }
      connections_.push_back(std::move(fd));
    }
  }

 private:
  Fd listening_{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  sockaddr_un name_{};
  socklen_t size_ = sizeof name_;
  std::vector<Fd> connections_;
};

// Workers whose loops stand still, so that they hold the connections given to them.
class Workers {
 public:
  explicit Workers(size_t count, size_t most = 1000) {
    for (size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<Loop>(clock_));
      boards_.push_back(std::make_unique<Switchboard>(*loops_[i], 0, most, log_, nobody_asks));
      all_.push_back(boards_.back().get());
    }
    for (size_t i = 0; i < count; ++i) {
      acceptors_.push_back(
          std::make_unique<Acceptor>(*loops_[i], nginx.listening(), *boards_[i], all_, log_));
      acceptors_.back()->start();
    }
  }

  // As epoll wakes it.
  void wake(size_t worker) { acceptors_.at(worker)->on_ready(EPOLLIN); }
  void stop(size_t worker) { acceptors_.at(worker)->stop(); }
  void give(size_t worker, Fd fd) { boards_.at(worker)->give(std::move(fd)); }

  std::vector<size_t> spread() const {
    std::vector<size_t> connections;
    for (const auto* board : all_) connections.push_back(board->open_connections());
    return connections;
  }

  Nginx nginx;

 private:
  const FakeClock clock_;
  Log log_{"test", STDERR_FILENO, Log::Level::error};
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Switchboard>> boards_;
  std::vector<Switchboard*> all_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

using Spread = std::vector<size_t>;

TEST_CASE("connections are spread over all workers, though only one of them is woken") {
  Workers workers(4);
  workers.nginx.connect(100);
  workers.wake(2);
  CHECK(workers.spread() == Spread{25, 25, 25, 25});
}

TEST_CASE("a worker that holds fewer connections than the others gets the next ones") {
  Workers workers(3);
  for (int i = 0; i < 10; ++i) workers.give(1, std::move(pair_of_sockets()[0]));
  workers.nginx.connect(12);
  workers.wake(1);
  CHECK(workers.spread() == Spread{6, 10, 6});
}

TEST_CASE("if all workers hold as many, the one that is woken keeps the connection") {
  Workers workers(3);
  workers.nginx.connect(1);
  workers.wake(1);
  CHECK(workers.spread() == Spread{0, 1, 0});
}

TEST_CASE("if all workers are full, connections wait in the backlog") {
  Workers workers(2, 5);
  workers.nginx.connect(20);
  workers.wake(0);
  CHECK(workers.spread() == Spread{5, 5});
}

TEST_CASE("connections in the backlog as the program ends are accepted, later ones are not") {
  Workers workers(2);
  workers.nginx.connect(6);
  workers.stop(0);
  CHECK(workers.spread() == Spread{3, 3});
  workers.nginx.connect(1);
  workers.stop(0);
  CHECK(workers.spread() == Spread{3, 3});
}

TEST_CASE("only the lack of descriptors or memory counts as full") {
  using Take = Acceptor::Take;
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    CHECK(Acceptor::failed(error) == Take::full);
  }
  CHECK(Acceptor::failed(EAGAIN) == Take::nobody);
  for (const int error : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN,
                          EHOSTUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP, EPERM}) {
    CAPTURE(error);
    CHECK(Acceptor::failed(error) == Take::skipped);
  }
}

TEST_CASE("connections wait in the backlog until an acceptor starts; a stopped one never starts") {
  LoopThread thread;
  Log log("test", STDERR_FILENO, Log::Level::error);
  Switchboard board(thread.loop, 0, 10, log, nobody_asks);
  Nginx nginx;
  Acceptor acceptor(thread.loop, nginx.listening(), board, {&board}, log);
  nginx.connect(1);
  thread.on_loop([] {});
  CHECK(board.open_connections() == 0);
  thread.on_loop([&] { acceptor.start(); });
  thread.on_loop([] {});
  CHECK(board.open_connections() == 1);
  thread.on_loop([&] { acceptor.stop(); });
  nginx.connect(1);
  thread.on_loop([&] { acceptor.start(); });
  thread.on_loop([] {});
  CHECK(board.open_connections() == 1);
  thread.halt();
}

TEST_CASE(
    "a listening socket that fails costs no idle connection, and holds up no ending program") {
  LoopThread thread;
  Log log("test", STDERR_FILENO, Log::Level::error);
  Switchboard board(thread.loop, 0, 10, log, nobody_asks);
  const Fd no_socket(eventfd(0, EFD_CLOEXEC));
  auto ends = pair_of_sockets();
  board.give(std::move(ends[0]));
  thread.on_loop([] {});  // the connection is accepted
  thread.pass(2000);      // a connection that is only just open does not count as idle
  thread.on_loop([&] {
    Acceptor acceptor(thread.loop, no_socket.get(), board, {&board}, log);
    acceptor.start();
    acceptor.on_ready(EPOLLIN);
    acceptor.stop();
  });
  CHECK(board.open_connections() == 1);
  thread.halt();
}

TEST_CASE("a connection that can't be watched is closed, and the worker goes on") {
  LoopThread thread;
  Log log("test", STDERR_FILENO, Log::Level::error);
  Switchboard board(thread.loop, 0, 10, log, nobody_asks);
  Fd file(memfd_create("test", MFD_CLOEXEC));  // epoll takes no files
  const int number = file.get();
  board.give(std::move(file));
  CHECK(board.open_connections() == 1);
  thread.pass(0);
  CHECK(board.open_connections() == 0);
  CHECK(fcntl(number, F_GETFD) == -1);
  thread.halt();
}

}  // namespace
}  // namespace letterbox::test
