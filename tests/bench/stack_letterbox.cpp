// SPDX-License-Identifier: MIT
//
// Letterbox as its users start it: by scripts/service, with the configuration of the repository as
// it is. Pushes and polls are served by one program, or each by a program of its own.
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

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
    streams_ = letterbox_streams();
    std::filesystem::create_directory(directory);  // the log is in it
    port_ = free_port();
    // The benchmark is made by the same make that made the programs.
    setenv("LETTERBOX_SKIP_BUILD", "1", 1);
    setenv("LETTERBOX_DEMO", "0", 1);  // nobody polls but the crowd
    setenv("LETTERBOX_BUILD", places.build.c_str(), 1);
    setenv("LETTERBOX_APART", apart ? "1" : "0", 1);
    const int status = run(start_command(), log_);
    throw_if_interrupted();
    if (status != 0) throw failure_with_log("scripts/service start failed", log_);
    for (const char* part : {"redis", "poll", "push", "nginx"}) {
      if (const pid_t pid = pid_of(part); pid > 0) add(part, pid);  // push may be within poll
    }
    redis_ = directory_ + "/run/redis.sock";
  }

  ~LetterboxStack() override { run({service_, "stop", "--dir", directory_}, log_); }

  /// "start" starts whatever of it does not run.
  void revive_redis() override { reviver_ = spawn(start_command(), log_); }

  void finish_revival() override {
    int status = 0;
    while (waitpid(reviver_, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw failure_with_log("scripts/service did not start Redis again", log_);
    role("redis").pid = pid_of("redis");
  }

 private:
  std::vector<std::string> start_command() const {
    return {service_, "start", "--dir", directory_, "--port", std::to_string(port_)};
  }
  /// 0: it does not run as a process of its own.
  pid_t pid_of(const std::string& part) const {
    return std::atoi(file_text(directory_ + "/run/" + part + ".pid").c_str());
  }

  const std::string service_;
  const std::string directory_;
  const std::string log_;
  pid_t reviver_ = 0;
};

}  // namespace

std::unique_ptr<Stack> start_letterbox(const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(false, places, directory);
}

std::unique_ptr<Stack> start_letterbox_apart(const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(true, places, directory);
}

}  // namespace letterbox::bench
