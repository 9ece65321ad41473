// SPDX-License-Identifier: MIT
//
// Pushpin as Debian has it, between nginx and a web application that subscribes every poll to its
// user's channel (GRIP, hold mode "response"). The application is a location of the same nginx that
// answers with constant headers, so the figures are Pushpin's.
#include <filesystem>

#include "process.h"
#include "servers.h"
#include "text.h"

namespace letterbox::bench {
namespace {

constexpr const char* kInternal = "/usr/lib/pushpin/internal.conf";

class PushpinStack final : public ServedStack {
 public:
  explicit PushpinStack(const std::string& directory)
      : ServedStack(kPushpin, pushpin_dialect(), directory) {
    std::filesystem::create_directory(path("run"));
    std::filesystem::create_directory(path("log"));
    const uint16_t proxy_port = free_port();
    const uint16_t control = free_port();
    const std::string proxy = "127.0.0.1:" + std::to_string(proxy_port);
    const std::string control_port = std::to_string(control);
    const std::string application = "127.0.0.1:" + std::to_string(free_port());
    write_file(path("routes"), "* " + application + '\n');
    write_file(path("pushpin.conf"), configuration(proxy, control_port));
    add("program", spawn({"pushpin", "--config=" + path("pushpin.conf")}, path("pushpin.log")));
    await_listener(proxy_port, path("pushpin.log"));
    await_listener(control, path("pushpin.log"));
    start_nginx("", upstreams(proxy, control_port) + server_of_application(application),
                locations());
    await_push();
  }

 private:
  /// As Debian's /etc/pushpin/pushpin.conf except the paths and ports; with a zurl of its own,
  /// which is a service in Debian; and without a bound on messages a second, which is 2,500 there,
  /// a quarter of what one broadcast brings.
  std::string configuration(const std::string& proxy, const std::string& control_port) const {
    return std::string("[global]\ninclude=") + kInternal + "\nrundir=" + path("run") +
           "\n"
           "ipc_prefix=pushpin-\n"
           "[runner]\n"
           "services=condure,zurl,pushpin-proxy,pushpin-handler\n"
           "http_port=" +
           proxy + "\nlogdir=" + path("log") +
           "\n"
           "client_maxconn=50000\n"
           "[proxy]\n"
           "routesfile=" +
           path("routes") +
           "\n"
           "updates_check=off\n"
           "zurl_out_specs=ipc://{rundir}/{ipc_prefix}zurl-in\n"
           "zurl_out_stream_specs=ipc://{rundir}/{ipc_prefix}zurl-in-stream\n"
           "zurl_in_specs=ipc://{rundir}/{ipc_prefix}zurl-out\n"
           "[handler]\n"
           "push_in_spec=ipc://{rundir}/{ipc_prefix}push-in\n"
           "push_in_sub_specs=ipc://{rundir}/{ipc_prefix}push-in-sub\n"
           "push_in_http_addr=127.0.0.1\n"
           "push_in_http_port=" +
           control_port +
           "\n"
           "command_spec=ipc://{rundir}/{ipc_prefix}command\n"
           "stats_spec=ipc://{rundir}/{ipc_prefix}stats\n"
           "message_rate=0\n";
  }

  static std::string upstreams(const std::string& proxy, const std::string& control_port) {
    return "  upstream pushpin { server " + proxy +
           "; keepalive 32; }\n"
           "  upstream control { server 127.0.0.1:" +
           control_port + "; keepalive 32; }\n";
  }

  static std::string server_of_application(const std::string& address) {
    return "  server {\n"
           "    listen " +
           address +
           " backlog=4096;\n"
           "    access_log off;\n"
           "    location = /sub {\n"
           "      add_header Grip-Hold response;\n"
           "      add_header Grip-Channel $arg_id;\n"
           "      add_header Grip-Timeout 50;\n"
           "      default_type text/plain;\n"
           "      return 200 '';\n"
           "    }\n"
           "  }\n";
  }

  static std::string locations() {
    const std::string proxied =
        "      proxy_http_version 1.1;\n"
        "      proxy_set_header Connection '';\n"
        "      proxy_read_timeout 75s;\n";
    return "    location = /sub {\n      proxy_pass http://pushpin;\n" + proxied +
           "    }\n    location = /publish/ {\n      proxy_pass http://control;\n" + proxied +
           "    }\n";
  }
};

}  // namespace

std::string missing_pushpin(const Places&) {
  for (const char* file : {kInternal, "/usr/bin/pushpin", "/usr/bin/condure", "/usr/bin/zurl"}) {
    if (!std::filesystem::exists(file)) return "not installed (Debian: pushpin)";
  }
  return {};
}

std::unique_ptr<Stack> start_pushpin(const Places&, const std::string& directory) {
  return std::make_unique<PushpinStack>(directory);
}

}  // namespace letterbox::bench
