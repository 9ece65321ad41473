// SPDX-License-Identifier: MIT
//
// What --check says: whether Redis, the limits of this process and the settings are fit for what
// the program wants of them. Each finding is one line, and says what to do. The judgments are pure;
// check() alone talks to Redis, on a loop of its own, before any worker is started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "redis/address.h"

namespace letterbox {

struct Finding {
  enum class Level { ok, warning, error };
  Level level;
  std::string text;
};
using Findings = std::vector<Finding>;

// "warning: TEXT\n".
std::string line(const Finding& finding);

// What Redis says of itself by INFO.
class RedisInfo {
 public:
  explicit RedisInfo(std::string_view text);
  // Empty if Redis does not say it.
  std::string_view text(std::string_view name) const;
  // Nothing if Redis does not say it, or it is no number.
  std::optional<uint64_t> number(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// What a program wants of the world.
struct Wants {
  size_t workers = 1;
  size_t lanes = 0;               // 0: it serves no polls
  size_t parked = 0;              // polls that wait at once, as --max-parked asks for
  size_t parked_possible = 0;     // as many as the file descriptors allow
  size_t descriptors = 0;         // that it may have open
  size_t descriptors_wanted = 0;  // for `parked` polls
  size_t replicas = 0;            // --redis-replicas
  bool sentinels = false;         // --redis names sentinels
  bool cluster = false;           // --redis names nodes of a cluster
  bool open = false;              // --open
};

Findings findings_of_version(const RedisInfo& info);
Findings findings_of_persistence(const RedisInfo& info);
Findings findings_of_memory(const RedisInfo& info);
Findings findings_of_connections(const RedisInfo& info, const Wants& wants);
// What a node of a cluster says of it: its replies to CLUSTER INFO and CLUSTER NODES, and whether
// cluster-require-full-coverage is on; empty if it may not be asked.
struct ClusterTold {
  std::string info;
  std::string nodes;
  std::string full_coverage;
};
// That Redis is what --redis says it is, a cluster or none, and how the cluster is.
Findings findings_of_cluster(const RedisInfo& info, const ClusterTold& told, const Wants& wants);
// `refused`: per entry of redis_needs(), Redis' error; empty if it is allowed. `refused_keys`: the
// beginnings of keys that are not allowed.
Findings findings_of_rights(const std::vector<std::string>& refused,
                            const std::vector<std::string>& refused_keys, const Wants& wants);
Findings findings_of_descriptors(const Wants& wants);
Findings findings_of_settings(const Wants& wants);
// Connects to the webhook's receiver, and posts nothing. Nothing to say without --webhook.
Findings findings_of_webhook(const Config& config);
// Whether everybody on this machine may read a secret.
Findings findings_of_secrets(const Config& config);

struct Checked {
  std::string_view program;
  const Config& config;
  const Clock& clock;
  const RedisLogin& login;
  size_t descriptors;  // that this process may have open
  bool serves_polls;
};

// Prints what it finds. The exit status: 1 if there is an error.
int check(const Checked& checked);

// The settings in effect, as lines of an environment file: LETTERBOX_REDIS_DB=3. Of a secret it is
// the name of its file.
std::string settings_text(const Config& config, std::span<const Option> options);

}  // namespace letterbox
