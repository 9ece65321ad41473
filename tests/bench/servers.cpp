// SPDX-License-Identifier: MIT
#include "servers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "clock.h"
#include "failure.h"
#include "fd.h"
#include "process.h"
#include "redis_link.h"
#include "text.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

constexpr int64_t kPatience = 5 * kSecond;

/// The descriptors that scripts/service gives Letterbox's nginx: as many as a process may open.
std::string connections_of_a_worker() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return std::to_string(std::min<rlim_t>(limit.rlim_cur, 65536));
}

std::string nginx_conf(const std::string& modules, const std::string& http,
                       const std::string& server, uint16_t port) {
  const std::string user = geteuid() == 0 ? "user root;\n" : "";
  return modules + user +
         "daemon off;\n"
         "worker_processes auto;\n"
         "pid nginx.pid;\n"
         "error_log nginx.log notice;\n"
         "events { worker_connections " +
         connections_of_a_worker() +
         "; }\n"
         "http {\n"
         // As in nginx/nginx.conf and letterbox-upstream.conf.
         "  log_format letterbox '$remote_addr $remote_user [$time_iso8601] \"$request_method "
         "$uri\" '\n"
         "                       '$status $body_bytes_sent $request_time \"$http_user_agent\"';\n"
         "  access_log access.log letterbox buffer=64k flush=1s;\n"
         "  keepalive_requests 1000000;\n"
         "  keepalive_timeout 75s;\n"
         "  client_body_temp_path body;\n"
         "  proxy_temp_path proxy;\n"
         "  fastcgi_temp_path fastcgi;\n"
         "  uwsgi_temp_path uwsgi;\n"
         "  scgi_temp_path scgi;\n" +
         http + "  server {\n    listen 127.0.0.1:" + std::to_string(port) +
         " backlog=4096;\n"
         "    server_name _;\n" +
         server + "  }\n}\n";
}

}  // namespace

uint16_t free_port() {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd.get(), generic, size) != 0 || getsockname(fd.get(), generic, &size) != 0) {
    throw system_failure("no free port");
  }
  return ntohs(address.sin_port);
}

ServedStack::ServedStack(std::string name, std::unique_ptr<Dialect> dialect, std::string directory)
    : Stack(std::move(name), std::move(dialect)), directory_(std::move(directory)) {
  std::filesystem::create_directory(directory_);
}

ServedStack::~ServedStack() {
  std::reverse(roles_.begin(), roles_.end());
  for (const Role& role : roles_) end_processes({role.pid}, kPatience);
}

void ServedStack::start_redis(bool tcp) {
  const uint16_t tcp_port = tcp ? free_port() : 0;
  redises_ = {tcp ? std::to_string(tcp_port) : path("redis.sock")};
  redis_command_ = {
      "redis-server", "--bind",        "127.0.0.1", "--port", std::to_string(tcp_port),
      "--dir",        directory_,      "--save",    "",       "--appendonly",
      "yes",          "--appendfsync", "everysec"};
  if (!tcp) redis_command_.insert(redis_command_.end(), {"--unixsocket", redis()});
  add("redis", spawn(redis_command_, path("redis.log")));
  require([this] { return redis_answers(redis()); }, "redis-server did not start",
          path("redis.log"));
}

void ServedStack::revive_redis() { role("redis").pid = spawn(redis_command_, path("redis.log")); }

void ServedStack::start_nginx(const std::string& modules, const std::string& http,
                              const std::string& server) {
  if (port_ == 0) port_ = free_port();
  write_file(path("nginx.conf"), nginx_conf(modules, http, server, port_));
  add("nginx",
      spawn({"nginx", "-p", directory_, "-e", "nginx.log", "-c", "nginx.conf"}, path("nginx.log")));
}

void ServedStack::await_listener(uint16_t tcp_port, const std::string& log) const {
  const auto listens = [tcp_port] { return RedisLink(std::to_string(tcp_port)).connected(); };
  require(listens, name_ + " did not start", log);
}

void ServedStack::await_push() {
  std::string request;
  dialect_->append_push(request, {"ready", "is anybody there"});
  const auto answers = [&] {
    const int status = http_status(port_, request, now_ns() + kSecond);
    return status >= 200 && status < 300;
  };
  require(answers, name_ + " did not start", path("nginx.log"));
}

}  // namespace letterbox::bench
