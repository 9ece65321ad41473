// SPDX-License-Identifier: MIT
//
// How requests come in from nginx's connections, also with a libfcgi that receives by itself.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "fastcgi/switchboard.h"
#include "tests/unit/fake_records.h"
#include "tests/unit/loop_thread.h"

namespace letterbox::test {
namespace {

using namespace std::literals;

const std::string kBegin = Record{Record::begin_request, 1, "\0\1\1\0\0\0\0\0"s}.bytes();
const std::string kParams = Record{Record::params, 1, "\x09\x05PATH_INFO/push"s}.bytes();
const std::string kNoParams = Record{Record::params}.bytes();
const std::string kNoInput = Record{Record::in}.bytes();

std::string request(std::string_view body) {
  std::string text = kBegin + kParams + kNoParams;
  for (; !body.empty(); body.remove_prefix(std::min<size_t>(body.size(), 32'768))) {
    text += Record{Record::in, 1, std::string(body.substr(0, 32'768))}.bytes();
  }
  return text + kNoInput;
}

// A worker that answers each request by its path and body, and nginx's end of a connection to it.
class House {
 public:
  explicit House(bool receives)
      : board_(
            thread_.loop, kBodyMax, 10, log_,
            [](const Request& request, Answer answer) {
              answer.send({.body = std::string(request.path) + ' ' + request.body});
            },
            receives) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::runtime_error("no pair of sockets");
    }
    nginx_.reset(ends[0]);
    board_.give(Fd(ends[1]));
    thread_.on_loop([] {});
  }
  ~House() { thread_.halt(); }
  House(const House&) = delete;
  House& operator=(const House&) = delete;

  void send(std::string_view bytes) const {
    if (write(nginx_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("the socket is full");
    }
  }

  // Returns when the worker has seen all that was sent.
  void see() {
    for (int turn = 0; turn < 3; ++turn) thread_.on_loop([] {});
  }

  // The body of the next answer, or "closed".
  std::string answer() const {
    std::string bytes;
    std::array<char, 65'536> piece{};
    const auto ends = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < ends) {
      const ssize_t n = recv(nginx_.get(), piece.data(), piece.size(), 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return "closed";
      if (n < 0) {
        std::this_thread::yield();
        continue;
      }
      bytes.append(piece.data(), static_cast<size_t>(n));
      if (bytes.ends_with(kEnd)) return parse_answer(bytes).body;
    }
    return "nothing";
  }

  static constexpr size_t kBodyMax = 200'000;

 private:
  const std::string kEnd = Record{Record::end_request, 1, std::string(8, '\0')}.bytes();

  Log log_{"test", STDERR_FILENO, Log::Level::error};
  LoopThread thread_;
  Switchboard board_;
  Fd nginx_;
};

// Both ways of receiving: the worker's own, and libfcgi's.
const std::array<bool, 2> kWays{true, false};

TEST_CASE("this libfcgi takes bytes that were received for it") { CHECK(libfcgi_takes_bytes()); }

TEST_CASE("a request is served whatever its length, and the next one on its connection") {
  for (const bool receives : kWays) {
    CAPTURE(receives);
    House house(receives);
    for (const size_t length : {0, 1, 8'000, 8'100, 8'192, 9'000, 40'000, 60'000, 0, 5}) {
      const std::string body(length, 'x');
      house.send(request(body));
      CHECK(house.answer() == "/push " + body);
    }
  }
}

TEST_CASE("a request is served in whatever pieces it comes") {
  const std::string body(20'000, 'x');
  const std::string whole = request(body);
  const size_t params = kBegin.size() + kParams.size();
  for (const bool receives : kWays) {
    CAPTURE(receives);
    House house(receives);
    for (const size_t first :
         {size_t{1}, size_t{8}, kBegin.size(), params - 3, params, size_t{100}, size_t{8'191},
          size_t{8'192}, size_t{8'193}, whole.size() - 8, whole.size() - 1}) {
      CAPTURE(first);
      house.send(std::string_view(whole).substr(0, first));
      house.see();
      house.send(std::string_view(whole).substr(first));
      CHECK(house.answer() == "/push " + body);
    }
  }
}

TEST_CASE("a request that libfcgi would misread is served as well") {
  const std::string padded = kBegin + kParams + Record{Record::params, 1, {}, 5}.bytes() +
                             Record{Record::in, 1, "abc", 5}.bytes() +
                             Record{Record::in, 1, {}, 7}.bytes();
  for (const bool receives : kWays) {
    CAPTURE(receives);
    House house(receives);
    for (int i = 0; i < 2; ++i) {
      house.send(padded);
      CHECK(house.answer() == "/push abc");
    }
  }
}

TEST_CASE("a connection is closed if its peer asks again before the answer, or sends no request") {
  for (const bool receives : kWays) {
    for (const auto& bytes : {request("a") + request("b"), "garbage!"s, request("a") + "x"}) {
      CAPTURE(receives);
      House house(receives);
      house.send(bytes);
      CHECK(house.answer() == "closed");
    }
  }
}

TEST_CASE("a request that libfcgi refuses ends its connection and no other") {
  const std::string of_no_role = Record{Record::begin_request, 1, "\0\x09\1\0\0\0\0\0"s}.bytes();
  const std::string refused = of_no_role + kParams + kNoParams + kNoInput;
  for (const bool receives : kWays) {
    CAPTURE(receives);
    House house(receives);
    House other(receives);
    house.send(refused);
    CHECK(house.answer() == "closed");
    other.send(request("a"));
    CHECK(other.answer() == "/push a");
  }
}

}  // namespace
}  // namespace letterbox::test
