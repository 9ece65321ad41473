// SPDX-License-Identifier: MIT
//
// Letterbox as its users start it: by scripts/service, with the configuration of the repository as
// it is. Pushes and polls are served by one program, or each by a program of its own; over one
// Redis, or over a cluster.
//
// A cluster without replicas is what compares with one Redis, which has none either: with replicas
// every write is made twice. It is the same cluster, of which the other nodes are dropped.
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "clock.h"
#include "failure.h"
#include "process.h"
#include "redis_link.h"
#include "servers.h"
#include "text.h"
#include "wait.h"

namespace letterbox::bench {
namespace {

constexpr unsigned kNodes = 6;  // of a cluster, as scripts/service starts it
constexpr int64_t kPatience = 30 * kSecond;

struct Form {
  const char* name;
  bool apart = false;  // two programs
  bool cluster = false;
  unsigned masters_alone = 0;  // that stay of the cluster; 0: all six nodes do
};

class LetterboxStack final : public Stack {
 public:
  LetterboxStack(const Form& form, const Places& places, const std::string& directory)
      : Stack(form.name, letterbox_dialect()),
        cluster_(form.cluster),
        service_(places.root + "/scripts/service"),
        directory_(directory + "/d"),
        log_(directory + "/service.log") {
    streams_ = letterbox_streams();
    std::filesystem::create_directory(directory);  // the log is in it
    port_ = free_port();
    // The benchmark is built by the same make as the programs.
    setenv("LETTERBOX_SKIP_BUILD", "1", 1);
    setenv("LETTERBOX_DEMO", "0", 1);  // only the crowd polls
    setenv("LETTERBOX_BUILD", places.build.c_str(), 1);
    setenv("LETTERBOX_APART", form.apart ? "1" : "0", 1);
    const int status = run(start_command(), log_);
    throw_if_interrupted();
    if (status != 0) throw failure_with_log("scripts/service start failed", log_);
    for (const char* part : {"redis", "poll", "push", "nginx"}) {
      if (const pid_t pid = pid_of(part); pid > 0) add(part, pid);  // push may be within poll
    }
    if (cluster_) {
      add_nodes(form.masters_alone);
    } else {
      redises_ = {directory_ + "/run/redis.sock"};
    }
  }

  ~LetterboxStack() override { run({service_, "stop", "--dir", directory_}, log_); }

  /// "start" starts the parts that do not run.
  void revive_redis() override { reviver_ = spawn(start_command(), log_); }

  void finish_revival() override {
    int status = 0;
    while (waitpid(reviver_, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw failure_with_log("scripts/service did not start Redis again", log_);
    role("redis").pid = pid_of("redis");
  }

 private:
  struct Node {
    pid_t pid;
    std::string port;
    std::string id;
    bool is_master;
  };

  std::vector<std::string> start_command() const {
    std::vector<std::string> command{service_,   "start",  "--dir",
                                     directory_, "--port", std::to_string(port_)};
    if (cluster_) command.emplace_back("--cluster");
    return command;
  }

  void add_nodes(unsigned masters_alone) {
    std::vector<Node> kept;
    std::vector<Node> dropped;
    unsigned masters = 0;
    for (unsigned i = 1; i <= kNodes; ++i) {
      Node node = node_of("redis-" + std::to_string(i));
      if (node.is_master) ++masters;
      const bool stays = masters_alone == 0 || (node.is_master && masters <= masters_alone);
      (stays ? kept : dropped).push_back(std::move(node));
    }
    if (!dropped.empty()) drop(dropped, kept);
    for (const Node& node : kept) {
      add(node.is_master ? "redis" : "replica", node.pid);
      if (node.is_master) redises_.push_back(node.port);
    }
  }

  Node node_of(const std::string& part) const {
    std::string port = file_text(directory_ + '/' + part + "/port");
    port.erase(port.find_last_not_of('\n') + 1);
    RedisLink link(port);
    return {.pid = pid_of(part),
            .port = std::move(port),
            .id = link.ask({"CLUSTER", "MYID"}),
            .is_master = link.ask({"ROLE"}).starts_with("master")};
  }

  /// Gives their slots to those that stay, ends them, and has the others forget them.
  void drop(const std::vector<Node>& dropped, const std::vector<Node>& kept) {
    // Else a master becomes a replica with its last slot, and takes no commands about slots.
    for (const Node& node : dropped) {
      RedisLink(node.port).ask({"CONFIG", "SET", "cluster-allow-replica-migration", "no"});
    }
    std::vector<std::string> move{"redis-cli", "--cluster", "rebalance",
                                  "127.0.0.1:" + kept.front().port, "--cluster-weight"};
    const size_t words = move.size();
    for (const Node& node : dropped) {
      if (node.is_master) move.push_back(node.id + "=0");
    }
    if (move.size() > words && run(move, log_) != 0) {
      throw failure_with_log("the slots of a master could not be moved", log_);
    }
    throw_if_interrupted();
    for (const Node& node : dropped) kill(node.pid, SIGKILL);
    for (const Node& node : dropped) {
      const bool ended = await([&] { return !alive(node.pid); }, now_ns() + kPatience);
      if (!ended) throw Failure("a node of the cluster did not end");
      for (const Node& other : kept) RedisLink(other.port).ask({"CLUSTER", "FORGET", node.id});
    }
    const std::string request = "GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n";
    require([&] { return http_status(port_, request, now_ns() + kSecond) == 200; },
            "Letterbox did not find the masters that stay", directory_ + "/log/poll.log");
  }

  /// 0: it does not run as a process of its own.
  pid_t pid_of(const std::string& part) const {
    return std::atoi(file_text(directory_ + "/run/" + part + ".pid").c_str());
  }

  const bool cluster_;
  const std::string service_;
  const std::string directory_;
  const std::string log_;
  pid_t reviver_ = 0;
};

std::unique_ptr<Stack> start_masters(const char* name, unsigned masters, bool apart,
                                     const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(
      Form{.name = name, .apart = apart, .cluster = true, .masters_alone = masters}, places,
      directory);
}

}  // namespace

std::unique_ptr<Stack> start_letterbox(const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(Form{.name = kLetterbox}, places, directory);
}

std::unique_ptr<Stack> start_letterbox_apart(const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(Form{.name = kApart, .apart = true}, places, directory);
}

std::unique_ptr<Stack> start_letterbox_cluster(const Places& places, const std::string& directory) {
  return std::make_unique<LetterboxStack>(Form{.name = kCluster, .cluster = true}, places,
                                          directory);
}

std::unique_ptr<Stack> start_one_master(const Places& places, const std::string& directory) {
  return start_masters(kOneMaster, 1, false, places, directory);
}

std::unique_ptr<Stack> start_two_masters(const Places& places, const std::string& directory) {
  return start_masters(kTwoMasters, 2, false, places, directory);
}

std::unique_ptr<Stack> start_three_masters(const Places& places, const std::string& directory) {
  return start_masters(kThreeMasters, 3, false, places, directory);
}

std::unique_ptr<Stack> start_three_masters_apart(const Places& places,
                                                 const std::string& directory) {
  return start_masters(kThreeMastersApart, 3, true, places, directory);
}

}  // namespace letterbox::bench
