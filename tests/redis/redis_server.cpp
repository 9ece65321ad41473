// SPDX-License-Identifier: MIT
#include "redis_server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/fd.h"
#include "tests/redis/eventually.h"

namespace letterbox::test {

namespace {

// A folder below /tmp. A process of its own watches over it, and removes the folder when this
// process ends, even if no destructor runs.
class Folder {
 public:
  static Folder& instance() {
    static Folder folder;
    return folder;
  }

  ~Folder() {
    kill(guardian_, SIGTERM);
    waitpid(guardian_, nullptr, 0);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string next() {
    std::string folder = path_ + "/" + std::to_string(++count_);
    std::filesystem::create_directory(folder);
    return folder;
  }

 private:
  Folder() {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no folder below /tmp");
    const pid_t here = getpid();
    guardian_ = fork();
    if (guardian_ == 0) guard(here);
    if (guardian_ < 0) throw std::runtime_error("can't fork");
  }

  [[noreturn]] void guard(pid_t parent) const {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    // A program that waits for the end of our output is not kept waiting by this process.
    close_range(0, ~0U, 0);
    if (getppid() == parent) {
      sigset_t end;
      sigemptyset(&end);
      sigaddset(&end, SIGTERM);
      int signal = 0;
      sigwait(&end, &signal);
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    _exit(0);
  }

  std::string path_ = "/tmp/letterbox-redis-XXXXXX";
  pid_t guardian_ = -1;
  int count_ = 0;
};

}  // namespace

RedisServer::RedisServer(Keeps keeps) : keeps_(keeps), folder_(Folder::instance().next()) {
  start();
}

RedisServer::RedisServer(std::string host, int port)
    : keeps_(Keeps::nothing),
      host_(std::move(host)),
      port_(port),
      folder_(Folder::instance().next()) {
  start();
}

RedisServer::RedisServer(Node node)
    : keeps_(Keeps::nothing),
      host_("127.0.0.1"),
      port_(node.port),
      bus_port_(node.bus_port),
      folder_(Folder::instance().next()) {
  start();
}

RedisServer::~RedisServer() { stop(); }

int RedisServer::spare_port() {
  const Fd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(probe.get(), generic, size) != 0 || getsockname(probe.get(), generic, &size) != 0) {
    throw std::runtime_error("no port of loopback is free");
  }
  return ntohs(address.sin_port);
}

RedisServer& RedisServer::shared() {
  static RedisServer server;
  return server;
}

void RedisServer::start() {
  const std::string socket = folder_ + "/redis.sock";
  std::filesystem::remove(socket);
  std::vector<std::string> words{"redis-server",
                                 "--port",
                                 std::to_string(port_),
                                 "--unixsocket",
                                 socket,
                                 "--dir",
                                 folder_,
                                 "--save",
                                 "",
                                 "--logfile",
                                 "redis.log",
                                 "--databases",
                                 "2"};
  if (port_ != 0) words.insert(words.end(), {"--bind", host_});
  if (bus_port_ != 0) {
    words.insert(words.end(),
                 {"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus_port_)});
  }
  if (keeps_ == Keeps::everything) {
    for (const auto* word : {"--appendonly", "yes", "--appendfsync", "always"}) {
      words.emplace_back(word);
    }
  }
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const pid_t here = getpid();
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("can't fork");
  if (process_ == 0) {
    // Only functions that may be called between fork and exec, since other threads run. The new
    // process must not hold our connections open.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, ~0U, 0);
    if (getppid() == here) execvp(argv[0], argv.data());
    _exit(127);
  }
  REQUIRE(eventually([this] { return takes_connections(); }));
}

bool RedisServer::takes_connections() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path = folder_ + "/redis.sock";
  std::copy(socket_path.begin(), socket_path.end(), address.sun_path);
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void RedisServer::stop() {
  if (process_ < 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void RedisServer::freeze() const {
  kill(process_, SIGSTOP);
  waitpid(process_, nullptr, WUNTRACED);
}

void RedisServer::thaw() const { kill(process_, SIGCONT); }

RedisLogin RedisServer::login() const {
  RedisLogin login;
  login.address.path = folder_ + "/redis.sock";
  login.patience_ms = 10'000;  // for a busy machine
  return login;
}

RedisLogin RedisServer::impatient_login() const {
  RedisLogin impatient = login();
  impatient.patience_ms = 200;
  return impatient;
}

}  // namespace letterbox::test
