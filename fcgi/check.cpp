// SPDX-License-Identifier: MIT
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "redis/connection.h"
#include "redis_needs.h"
#include "settings.h"
#include "webhook/poster.h"

namespace letterbox {

namespace {

using Level = Finding::Level;

// ZMSCORE, LPOP with a count and CLIENT INFO came with it.
constexpr uint64_t kOldestMajor = 6;
constexpr uint64_t kOldestMinor = 2;
// Percent of maxmemory from which on a warning is given.
constexpr uint64_t kFull = 80;
// Connections of a program that serves polls, in addition to those of lanes and workers: one for
// its address, one for the notices.
constexpr size_t kOtherConnections = 2;

std::string number_text(uint64_t number) {
  std::string text;
  append_u64(text, number);
  return text;
}

// Bytes as redis.conf takes them, rounded down.
std::string megabytes(uint64_t bytes) { return number_text(bytes >> 20) + "mb"; }

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// What Redis says of itself, and what it does not allow.
struct Told {
  std::string info;
  std::vector<std::string> refused;  // as findings_of_rights wants it
  std::vector<std::string> refused_keys;
  ClusterTold cluster;
};

// Asks on a loop of its own. Commands are put into a transaction that is never carried out: Redis
// looks at the rights as it queues them, and forgets them as the connection ends. (ACL DRYRUN would
// be a right of its own, and Redis 6.2 does not know it.)
class Inquiry {
 public:
  // `login` must outlive the inquiry.
  Inquiry(const Checked& checked, const RedisLogin& login)
      : checked_(checked),
        nowhere_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
        // The connection logs what Redis refuses, which here is a finding.
        log_(std::string(checked.program), nowhere_.get(), Log::Level::error),
        loop_(checked.clock),
        redis_(loop_, login, log_, "letterbox-check", events()) {}

  // The error is why Redis can't be asked.
  Result<Told, std::string> ask() {
    redis_.start();
    loop_.at(checked_.clock.steady_ms() + checked_.login.patience_ms, [this] { loop_.stop(); });
    loop_.run();
    if (!complete_) return trouble_;
    return std::move(told_);
  }

 private:
  RedisConnection::Events events() {
    RedisConnection::Events events;
    events.up = [this] { send(); };
    events.failed = [this](std::string_view why) { end(why); };
    events.down = [this] { end("the connection was lost"); };
    return events;
  }

  void end(std::string_view why) {
    trouble_ = why;
    loop_.stop();
  }

  void send() {
    redis_.command({"INFO"}, [this](const Reply& reply) { told_.info = reply.text(); });
    if (!checked_.login.address.nodes.empty()) ask_of_cluster();
    told_.refused.resize(redis_needs().size());
    // Outside of a transaction EXEC does nothing.
    redis_.command({"EXEC"}, [this](const Reply& reply) { note("exec", reply); });
    redis_.command({"MULTI"}, [this](const Reply& reply) {
      note("multi", reply);
      // What is not queued would be carried out.
      if (reply.ok()) {
        try_all();
      } else {
        finish(reply);
      }
    });
  }

  void ask_of_cluster() {
    redis_.command({"CLUSTER", "INFO"},
                   [this](const Reply& reply) { told_.cluster.info = reply.text(); });
    redis_.command({"CLUSTER", "NODES"},
                   [this](const Reply& reply) { told_.cluster.nodes = reply.text(); });
    // (Who has only the rights that Letterbox needs is refused.)
    redis_.command({"CONFIG", "GET", "cluster-require-full-coverage"}, [this](const Reply& reply) {
      if (reply.size() == 2) told_.cluster.full_coverage = reply[1].text();
    });
  }

  void try_all() {
    for (const RedisNeed& need : redis_needs()) {
      const std::string name = acl_name(need);
      if (name == "exec" || name == "multi") continue;
      const auto words = words_of(need);
      redis_.command(std::vector<std::string_view>(words.begin(), words.end()),
                     [this, name](const Reply& reply) { note(name, reply); });
    }
    // LPOP reads and writes: a pattern may be for one of these alone.
    for (const auto& beginning : redis_key_beginnings()) {
      redis_.command({"LPOP", beginning + "{check}"}, [this, beginning](const Reply& reply) {
        if (is_forbidden_key(reply)) told_.refused_keys.push_back(beginning);
      });
    }
    redis_.command({"PING"}, [this](const Reply& reply) { finish(reply); });
  }

  void note(std::string_view name, const Reply& reply) {
    if (!is_forbidden(reply)) return;
    const auto needs = redis_needs();
    for (size_t i = 0; i < needs.size(); ++i) {
      if (acl_name(needs[i]) == name) told_.refused[i] = reply.error();
    }
  }

  void finish(const Reply& reply) {
    complete_ = reply.came();
    loop_.stop();
  }

  // Of EXEC the error begins with another word.
  static bool is_forbidden(const Reply& reply) {
    return reply.error().find("NOPERM") != std::string_view::npos;
  }

  static bool is_forbidden_key(const Reply& reply) {
    return is_forbidden(reply) && reply.error().find(" key") != std::string_view::npos;
  }

  const Checked& checked_;
  const Fd nowhere_;
  Log log_;
  Loop loop_;
  RedisConnection redis_;
  Told told_;
  std::string trouble_ = "no answer";
  bool complete_ = false;
};

Wants wants_of(const Checked& checked) {
  const Config& config = checked.config;
  Wants wants;
  wants.workers = worker_count(config);
  wants.descriptors = checked.descriptors;
  if (checked.serves_polls) {
    wants.lanes = redis_descriptors(config);
    wants.parked = static_cast<size_t>(config.integer("max-parked"));
    wants.parked_possible = room_limits(config, checked.descriptors).parked;
    // The reverse of room_limits: a sixteenth is left for others.
    const size_t most = wants.parked + wants.lanes + own_descriptors(wants.workers);
    wants.descriptors_wanted = most + most / 15 + 1;
    wants.open = config.flag("open");
  }
  wants.replicas = static_cast<size_t>(config.integer("redis-replicas"));
  wants.sentinels = !checked.login.address.sentinels.empty();
  wants.cluster = !checked.login.address.nodes.empty();
  return wants;
}

Findings findings_of_redis(const Told& told, const Wants& wants) {
  const RedisInfo info(told.info);
  Findings all;
  const auto add = [&all](Findings&& some) { std::ranges::move(some, std::back_inserter(all)); };
  add(findings_of_rights(told.refused, told.refused_keys, wants));
  if (told.info.empty()) return all;  // INFO is not allowed: that has been found
  add(findings_of_version(info));
  add(findings_of_cluster(info, told.cluster, wants));
  add(findings_of_persistence(info));
  add(findings_of_memory(info));
  add(findings_of_connections(info, wants));
  return all;
}

}  // namespace

std::string line(const Finding& finding) {
  constexpr std::string_view names[] = {"ok", "warning", "error"};
  return std::string(names[static_cast<size_t>(finding.level)]) + ": " + finding.text + '\n';
}

RedisInfo::RedisInfo(std::string_view text) {
  while (!text.empty()) {
    std::string_view field = take_until(text, '\n');
    if (field.ends_with('\r')) field.remove_suffix(1);
    const auto name = take_until(field, ':');
    fields_.emplace_back(name, field);
  }
}

std::string_view RedisInfo::text(std::string_view name) const {
  for (const auto& [its_name, value] : fields_) {
    if (its_name == name) return value;
  }
  return {};
}

std::optional<uint64_t> RedisInfo::number(std::string_view name) const {
  return parse_u64(text(name));
}

Findings findings_of_version(const RedisInfo& info) {
  const std::string version(info.text("redis_version"));
  std::string_view rest = version;
  const uint64_t major = parse_u64(take_until(rest, '.')).value_or(0);
  const uint64_t minor = parse_u64(take_until(rest, '.')).value_or(0);
  if (major > kOldestMajor) return {{Level::ok, "Redis is of version " + version}};
  if (major == kOldestMajor && minor >= kOldestMinor) {
    return {{Level::ok, "Redis is of version " + version + "; 7 takes a command less a ring"}};
  }
  return {{Level::error,
           "Redis is of version " + version + ", and Letterbox needs 6.2 or later. Install it"}};
}

Findings findings_of_persistence(const RedisInfo& info) {
  if (info.text("aof_enabled") == "0") {
    Findings found{
        {Level::warning,
         "Redis writes no append-only file (`appendonly no`, as Debian ships it): if it ends or "
         "crashes, accepted pushes are lost. Run `redis-cli CONFIG SET appendonly yes`, then write "
         "`appendonly yes` into redis.conf"}};
    if (info.text("rdb_last_bgsave_status") == "err") {
      found.push_back({Level::error,
                       "Redis could not write its last snapshot, so it may refuse all writes. See "
                       "its log; often its disk is full"});
    }
    return found;
  }
  if (info.text("aof_last_write_status") == "err") {
    return {{Level::error,
             "Redis can't write its append-only file, so it refuses all writes. See its log; often "
             "its disk is full"}};
  }
  return {{Level::ok, "Redis writes an append-only file"}};
}

Findings findings_of_memory(const RedisInfo& info) {
  const uint64_t most = info.number("maxmemory").value_or(0);
  const uint64_t used = info.number("used_memory").value_or(0);
  const std::string policy(info.text("maxmemory_policy"));
  if (most == 0) {
    const uint64_t half = info.number("total_system_memory").value_or(0) / 2;
    const std::string proposed = half == 0 ? "2gb" : megabytes(half);
    return {{Level::warning,
             "Redis may take all memory of its machine (`maxmemory 0`), and is killed then. Write "
             "`maxmemory " +
                 proposed +
                 "` and `maxmemory-policy noeviction` into redis.conf, and run "
                 "`redis-cli CONFIG SET maxmemory-policy noeviction maxmemory " +
                 proposed + "`"}};
  }
  if (policy != "noeviction") {
    return {
        {Level::error, "Redis throws mailboxes away when it is full (`maxmemory-policy " + policy +
                           "`). Run `redis-cli CONFIG SET maxmemory-policy noeviction`, and write "
                           "`maxmemory-policy noeviction` into redis.conf"}};
  }
  const std::string share =
      number_text(used * 100 / most) + " % of its maxmemory, " + megabytes(most);
  const std::string more = ". Raise maxmemory, or lower --mailbox-bytes or --mailbox-life";
  if (used >= most) {
    return {{Level::error, "Redis is full, so pushes get 503: it uses " + share + more}};
  }
  if (used * 100 >= most * kFull) {
    return {{Level::warning, "Redis is nearly full: it uses " + share + more}};
  }
  return {{Level::ok, "Redis uses " + share + ", and evicts nothing"}};
}

Findings findings_of_connections(const RedisInfo& info, const Wants& wants) {
  Findings found;
  const uint64_t most = info.number("maxclients").value_or(0);
  // While a restart replaces it, there are two of this program.
  const size_t others = wants.lanes > 0 ? kOtherConnections : 0;
  const uint64_t wanted = 2 * (wants.lanes + wants.workers + others);
  const std::string needs = "this program takes up to " + number_text(wanted / 2) +
                            (wants.lanes > 0 ? " (--lanes, --workers, and 2)" : " (--workers)") +
                            ", twice that while a restart replaces it";
  if (most > 0 && most < wanted) {
    found.push_back({Level::warning, "Redis takes " + number_text(most) +
                                         " connections (maxclients), and " + needs +
                                         ". Write `maxclients " +
                                         number_text(std::max<uint64_t>(10'000, wanted)) +
                                         "` into redis.conf and restart Redis, or lower --lanes"});
  } else if (most > 0) {
    found.push_back({Level::ok, "Redis takes " + number_text(most) + " connections; " + needs});
  }
  const uint64_t replicas = info.number("connected_slaves").value_or(0);
  if (replicas < wants.replicas && !wants.cluster) {
    found.push_back({Level::error, "Redis has " + number_text(replicas) +
                                       " replicas, so every push gets 503: --redis-replicas is " +
                                       number_text(wants.replicas) +
                                       ". Connect the replicas, or lower --redis-replicas"});
  }
  return found;
}

Findings findings_of_rights(const std::vector<std::string>& refused,
                            const std::vector<std::string>& refused_keys, const Wants& wants) {
  const std::string remedy = ". Give it what `letterbox-poll --acl` prints";
  Findings found;
  std::vector<std::string> needed;
  const auto needs = redis_needs();
  for (size_t i = 0; i < std::min(refused.size(), needs.size()); ++i) {
    // A command whose key is refused may be allowed: the key is found below.
    if (refused[i].empty() || refused[i].find(" key") != std::string::npos) continue;
    const std::string name = acl_name(needs[i]);
    const bool is_of_cluster = name.starts_with("cluster|");
    if (is_of_cluster && !wants.cluster) continue;
    const bool is_asked_for = (name == "wait" && wants.replicas > 0) ||
                              (name == "role" && wants.sentinels) || name == "cluster|nodes";
    if (needs[i].without.empty() || is_asked_for) {
      needed.push_back(name);
      continue;
    }
    found.push_back({Level::warning, "Redis' user may not call " + name + ": "});
    found.back().text.append(needs[i].without).append(remedy);
  }
  if (!needed.empty()) {
    found.push_back({Level::error, "Redis' user may not call " + joined(needed) + remedy});
  }
  if (!refused_keys.empty()) {
    std::string patterns;
    for (const auto& beginning : refused_keys) {
      patterns.append(patterns.empty() ? "" : ", ").append(beginning).append("*");
    }
    found.push_back({Level::error, "Redis' user may not use keys " + patterns + remedy});
  }
  if (found.empty()) found.push_back({Level::ok, "Redis' user may do all that Letterbox does"});
  return found;
}

Findings findings_of_descriptors(const Wants& wants) {
  const std::string limit = "the limit of file descriptors is " + number_text(wants.descriptors);
  if (wants.parked == 0) return {{Level::ok, limit}};
  if (wants.parked_possible >= wants.parked) {
    return {{Level::ok, limit + ", enough for " + number_text(wants.parked) +
                            " polls that wait (--max-parked)"}};
  }
  return {{Level::warning,
           limit + ": " + number_text(wants.parked_possible) + " polls can wait, not the " +
               number_text(wants.parked) +
               " of --max-parked. Set `LimitNOFILE=" + number_text(wants.descriptors_wanted) +
               "` in the systemd unit (`ulimit -Hn` elsewhere), or --max-parked " +
               number_text(wants.parked_possible)}};
}

Findings findings_of_settings(const Wants& wants) {
  if (!wants.open) return {{Level::ok, "the settings are right"}};
  return {{Level::warning,
           "anybody may read any mailbox by user=NAME (--open). Leave --open out on a server that "
           "strangers reach"}};
}

Findings findings_of_webhook(const Config& config) {
  const auto url = WebhookUrl::parse(config.text("webhook"));
  if (!url) return {};
  const auto reached = try_webhook(*url);
  if (reached) return {{Level::ok, "the webhook at " + url->place + " can be reached"}};
  return {{Level::error, "the webhook at " + url->place + " can't be reached: " + reached.error() +
                             ". See --webhook, and that its receiver runs"}};
}

Findings findings_of_secrets(const Config& config) {
  Findings found;
  for (const auto name : config.secrets()) {
    // (PEM is a public key: a private one stops the start.)
    if (config.secret(name).find("-----BEGIN ") != std::string_view::npos) continue;
    const std::string path(config.text(name));
    struct stat about {};
    if (stat(path.c_str(), &about) != 0 || (about.st_mode & S_IROTH) == 0) continue;
    found.push_back({Level::warning, "everybody on this machine may read " + path + " (--"});
    found.back().text.append(name).append("). Set `chmod o= ").append(path).append("`");
  }
  return found;
}

// Asks Redis; of a cluster, the first of the named nodes that answers.
static Result<Told, std::string> ask(const Checked& checked) {
  const auto& nodes = checked.login.address.nodes;
  if (nodes.empty()) return Inquiry(checked, checked.login).ask();
  Result<Told, std::string> told = std::string("no node is named");
  for (const auto& address : nodes) {
    RedisLogin login = checked.login;
    login.address = address;
    login.any_role = true;
    told = Inquiry(checked, login).ask();
    if (told) break;
  }
  return told;
}

int check(const Checked& checked) {
  const Wants wants = wants_of(checked);
  Findings all = findings_of_settings(wants);
  std::ranges::move(findings_of_secrets(checked.config), std::back_inserter(all));
  std::ranges::move(findings_of_webhook(checked.config), std::back_inserter(all));
  std::ranges::move(findings_of_descriptors(wants), std::back_inserter(all));
  const std::string where = checked.login.address.text();
  const auto told = ask(checked);
  if (told) {
    all.push_back({Level::ok, "Redis at " + where + " answers"});
    std::ranges::move(findings_of_redis(*told, wants), std::back_inserter(all));
  } else {
    all.push_back({Level::error, "Redis at " + where + " can't be used: " + told.error() +
                                     ". See that it runs, and --redis, --redis-user and "
                                     "--redis-password-file"});
  }
  bool has_error = false;
  for (const Finding& finding : all) {
    const std::string text = line(finding);
    std::fwrite(text.data(), 1, text.size(), stdout);
    has_error = has_error || finding.level == Level::error;
  }
  return has_error ? 1 : 0;
}

std::string settings_text(const Config& config, std::span<const Option> options) {
  std::string text;
  for (const Option& option : options) {
    std::string value;
    switch (option.kind) {
      case Option::action:
        continue;
      case Option::flag:
        value = config.flag(option.name) ? "1" : "0";
        break;
      case Option::integer:
        append_u64(value, static_cast<uint64_t>(config.integer(option.name)));
        break;
      case Option::seconds:
        value = decimal(config.seconds(option.name));
        break;
      default:
        value = config.text(option.name);
    }
    text += environment_name(option.name) + '=' + value + '\n';
  }
  return text;
}

}  // namespace letterbox
