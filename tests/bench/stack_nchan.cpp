// SPDX-License-Identifier: MIT
//
// nchan as Debian has it: a channel a user, subscribers by long polls or by EventSource, the buffer
// as long and as lasting as a mailbox. With its Redis storage, or with its memory alone.
#include <unistd.h>

#include "servers.h"
#include "text.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

/// Where nginx keeps the nchan module on this machine; empty: not installed.
std::string nchan_module() {
  for (const std::string directory : {"/usr/lib/nginx/modules", "/usr/share/nginx/modules"}) {
    std::string file = directory + "/ngx_nchan_module.so";
    if (access(file.c_str(), R_OK) == 0) return file;
  }
  return {};
}

class NchanStack final : public ServedStack {
 public:
  NchanStack(bool with_redis, const std::string& directory)
      : ServedStack(with_redis ? kNchanRedis : kNchanMemory, nchan_dialect(), directory) {
    streams_ = nchan_streams();
    std::string http = "  nchan_shared_memory_size 512m;\n";
    std::string storage;
    if (with_redis) {
      start_redis(true);  // this nchan takes no unix socket
      http += "  upstream store {\n    nchan_redis_server redis://127.0.0.1:" + redis() +
              ";\n    nchan_redis_storage_mode distributed;\n  }\n";
      storage = "      nchan_redis_pass store;\n";
    }
    start_nginx("load_module " + nchan_module() + ";\n", http, locations(storage));
    if (with_redis) await_workers();
    await_push();
  }

 private:
  /// /// Every worker has its own connections to Redis. A poll that one of them takes before it has
  /// them is parked and never answered, so the answer of one worker is not enough.
  void await_workers() const {
    const auto all_ready = [this] {
      long ready = 0;
      const std::string log = file_text(path("nginx.log"));
      for (size_t at = 0; (at = log.find("upstream store: ready", at)) != std::string::npos; ++at) {
        ++ready;
      }
      return ready >= sysconf(_SC_NPROCESSORS_ONLN);  // as worker_processes auto
    };
    require(all_ready, "nchan did not connect to Redis", path("nginx.log"));
  }

  static std::string locations(const std::string& storage) {
    return "    location = /pub {\n"
           "      nchan_publisher http;\n"
           "      nchan_channel_id $arg_id;\n"
           "      nchan_message_buffer_length 1000;\n"
           "      nchan_message_timeout 7d;\n" +
           storage + "    }\n" +
           subscriber("/sub",
                      "      nchan_subscriber longpoll;\n"
                      "      nchan_subscriber_timeout 50s;\n" +
                          storage) +
           subscriber("/events",
                      "      nchan_subscriber eventsource;\n"
                      "      nchan_subscriber_timeout 300s;\n"
                      "      nchan_eventsource_ping_interval 15;\n" +
                          storage);
  }

  static std::string subscriber(const std::string& path, const std::string& directives) {
    return "    location = " + path +
           " {\n"
           "      nchan_channel_id $arg_id;\n"
           "      nchan_subscriber_first_message oldest;\n" +
           directives + "    }\n";
  }
};

}  // namespace

std::string missing_nchan(const Places&) {
  return nchan_module().empty() ? "not installed (Debian: libnginx-mod-nchan)" : "";
}

std::unique_ptr<Stack> start_nchan_redis(const Places&, const std::string& directory) {
  return std::make_unique<NchanStack>(true, directory);
}

std::unique_ptr<Stack> start_nchan_memory(const Places&, const std::string& directory) {
  return std::make_unique<NchanStack>(false, directory);
}

}  // namespace letterbox::bench
