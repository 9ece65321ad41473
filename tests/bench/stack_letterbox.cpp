// SPDX-License-Identifier: MIT
//
// Letterbox as its users start it: by scripts/service, with the configuration of the repository as
// it is.
#include <cstdlib>

#include "failure.h"
#include "process.h"
#include "servers.h"
#include "text.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

class LetterboxStack final : public Stack {
 public:
  LetterboxStack(bool apart, const Places& places, const std::string& directory)
      : Stack(apart ? kApart : kLetterbox, letterbox_dialect()),
        service_(places.root + "/scripts/service"),
        directory_(directory + "/d"),
        log_(directory + "/service.log") {
    port_ = free_port();
    // The benchmark is made by the same make that made the programs.
    setenv("LETTERBOX_SKIP_BUILD", "1", 1);
    setenv("LETTERBOX_DEMO", "0", 1);  // nobody polls but the crowd
    setenv("LETTERBOX_BUILD", places.build.c_str(), 1);
    setenv("LETTERBOX_APART", apart ? "1" : "0", 1);
    const int status = service("start", {"--port", std::to_string(port_)});
    throw_if_interrupted();
    if (status != 0) throw failure_with_log("scripts/service start failed", log_);
    for (const char* part : {"redis", "poll", "push", "nginx"}) {
      const std::string pid = file_text(directory_ + "/run/" + part + ".pid");
      if (!pid.empty()) roles_.push_back({part, std::atoi(pid.c_str())});
    }
    redis_ = directory_ + "/run/redis.sock";
  }

  ~LetterboxStack() override { service("stop", {}); }

 private:
  int service(const char* verb, const std::vector<std::string>& options) const {
    std::vector<std::string> command{service_, verb, "--dir", directory_};
    command.insert(command.end(), options.begin(), options.end());
    return run(command, log_);
  }

  const std::string service_;
  const std::string directory_;
  const std::string log_;
};

}  // namespace

std::unique_ptr<Stack> start_letterbox(bool apart, const Places& places,
                                       const std::string& directory) {
  return std::make_unique<LetterboxStack>(apart, places, directory);
}

}  // namespace letterbox::bench
