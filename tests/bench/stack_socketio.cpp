// SPDX-License-Identifier: MIT
//
// Socket.IO as its documentation sets it up on several nodes: a Node.js process a core, the Redis
// streams adapter between them, and an nginx that sends every client to the same node by its
// address. Long polling is the only transport.
#include <unistd.h>

#include <filesystem>

#include "process.h"
#include "servers.h"

namespace letterbox::bench {
namespace {

std::string server_in(const Places& places) {
  return places.root + "/tests/bench/socketio/server.mjs";
}

class SocketIoStack final : public ServedStack {
 public:
  SocketIoStack(const Places& places, const std::string& directory)
      : ServedStack(kSocketIo, socketio_dialect(), directory) {
    start_redis(true);
    std::string nodes;
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); ++i) {  // as nginx' workers
      const uint16_t number = free_port();
      const std::string port = std::to_string(number);
      nodes += "    server 127.0.0.1:" + port + ";\n";
      add("program", spawn({"node", server_in(places), port, "redis://127.0.0.1:" + redis()},
                           path("node.log")));
      await_listener(number, path("node.log"));
    }
    start_nginx("",
                "  upstream by_client {\n    hash $remote_addr consistent;\n" + nodes +
                    "    keepalive 32;\n  }\n  upstream any {\n" + nodes +
                    "    keepalive 32;\n  }\n",
                location("/socket.io/", "by_client") + location("/push", "any"));
    await_push();
  }

 private:
  static std::string location(const std::string& path, const std::string& upstream) {
    return "    location " + path + " {\n      proxy_pass http://" + upstream +
           ";\n"
           "      proxy_http_version 1.1;\n"
           "      proxy_set_header Connection '';\n"
           "      proxy_set_header Host $host;\n"
           "      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
           "      proxy_read_timeout 75s;\n"
           "    }\n";
  }
};

}  // namespace

std::string missing_socketio(const Places& places) {
  for (const char* directory : {"/usr/bin/", "/usr/local/bin/"}) {
    if (!std::filesystem::exists(directory + std::string("node"))) continue;
    const auto packages = std::filesystem::path(server_in(places)).replace_filename("node_modules");
    return std::filesystem::exists(packages / "socket.io")
               ? ""
               : "its packages are not installed (cd tests/bench/socketio && npm ci)";
  }
  return "not installed (Debian: nodejs, npm)";
}

std::unique_ptr<Stack> start_socketio(const Places& places, const std::string& directory) {
  return std::make_unique<SocketIoStack>(places, directory);
}

}  // namespace letterbox::bench
