// SPDX-License-Identifier: MIT
//
// The least that a stack of Letterbox's shape can do: nginx, kept FastCGI connections, a program
// that answers every request with the same few bytes, and a Redis next to them.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "failure.h"
#include "fd.h"
#include "process.h"
#include "servers.h"

namespace letterbox::bench {
namespace {

Fd listen_on(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Failure("too long for a socket: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 1024) != 0) {
    throw system_failure("can't listen on " + path);
  }
  return fd;
}

class FloorStack final : public ServedStack {
 public:
  FloorStack(const Places& places, const std::string& directory)
      : ServedStack(kFloor, letterbox_dialect(), directory) {
    start_redis(false);
    const Fd socket = listen_on(path("program.sock"));
    add("program", spawn({places.build + "/bench-floor"}, path("program.log"), socket.get()));
    start_nginx(
        "",
        "  upstream program {\n    server unix:" + path("program.sock") +
            ";\n    keepalive 32;\n    keepalive_requests 1000000;\n  }\n"
            "  map $http_cookie $letterbox_cookie { \"~(?:^|;) *(letterbox_token=[^;]*)\" $1; }\n",
        locations());
    await_push();
  }

 private:
  using Params = std::initializer_list<std::pair<const char*, const char*>>;

  /// Exactly the parameters that nginx/pass-public.conf and pass-push.conf pass on.
  static std::string locations() {
    return location("/poll", {{"REMOTE_ADDR", "$remote_addr"},
                              {"HTTP_COOKIE", "$letterbox_cookie"},
                              {"HTTP_LAST_EVENT_ID", "$http_last_event_id"},
                              {"HTTP_USER_AGENT", "$http_user_agent"}}) +
           location("/push", {{"CONTENT_TYPE", "$content_type"}});
  }

  static std::string location(const std::string& path, Params of_its_own) {
    std::string text = "    location = " + path +
                       " {\n"
                       "      fastcgi_pass program;\n"
                       "      fastcgi_keep_conn on;\n"
                       "      fastcgi_pass_request_headers off;\n" +
                       param("PATH_INFO", path) + param("QUERY_STRING", "$query_string") +
                       param("REQUEST_METHOD", "$request_method") +
                       param("HTTP_AUTHORIZATION", "$http_authorization") +
                       param("HTTP_ORIGIN", "$http_origin");
    for (const auto& [name, value] : of_its_own) text += param(name, value);
    return text + "    }\n";
  }

  static std::string param(const std::string& name, const std::string& value) {
    return "      fastcgi_param " + name + ' ' + value + " if_not_empty;\n";
  }
};

}  // namespace

std::unique_ptr<Stack> start_floor(const Places& places, const std::string& directory) {
  return std::make_unique<FloorStack>(places, directory);
}

}  // namespace letterbox::bench
