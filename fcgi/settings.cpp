// SPDX-License-Identifier: MIT
#include "settings.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "mailbox/keys.h"
#include "model/names.h"

namespace letterbox {

namespace {

// Which program takes an option.
enum Face : unsigned { poll = 1, push = 2, both = poll | push };

struct Row {
  Face face;
  Option option;
};

template <uint64_t ms>
constexpr std::string_view kSecondsOf = kTextOf<ms / kSecondMs>;

constexpr std::string_view kPushListen = "push-listen";

// clang-format off
constexpr Row kTable[] = {
  // face   name                  value      default                        least most                           kind                 sentence
  {both, {"redis",                "ADDRESS", "127.0.0.1:6379",              0,    0,                             Option::text,        "where Redis is: HOST:PORT, unix:PATH, sentinel:NAME@HOST:PORT,HOST:PORT, or cluster:HOST:PORT,HOST:PORT with some nodes of a cluster"}},
  {both, {"redis-user",           "NAME",    "",                            0,    0,                             Option::text,        "user of Redis' access lists; none: the default user"}},
  {both, {"redis-password-file",  "FILE",    "",                            0,    0,                             Option::secret_file, "file whose first line is the password for Redis"}},
  {both, {"redis-db",             "N",       "0",                           0,    1e6,                           Option::integer,     "number of the Redis database"}},
  {both, {"redis-prefix",         "PREFIX",  "",                            0,    0,                             Option::text,        "what the names of all keys in Redis begin with, so that several Letterboxes share it; the same for both programs"}},
  {both, {"redis-timeout",        "SECONDS", kSecondsOf<kRedisMs>,          0.05, 60,                            Option::seconds,     "after which Redis counts as away"}},
  {push, {"redis-replicas",       "N",       "0",                           0,    100,                           Option::integer,     "replicas that must have a push before it is answered by 2xx; else it is 503"}},
  {push, {"key-file",             "FILE",    "",                            0,    0,                             Option::key_file,    "what back ends must show as Authorization: Bearer KEY: a key a line, for everything, or NAME:KEY SCOPES, where SCOPES are push, read and admin, with commas; none: every program that gets here may do everything, so a unix socket or loopback only"}},
  {push, {"push-rate",            "N",       "0",                           0,    1e6,                           Option::integer,     "pushes a second that may come by one key; 0: as many as will"}},
  {poll, {"origin",               "ORIGINS", "",                            0,    0,                             Option::text,        "other sites whose pages may poll: https://a.example,https://b.example; none: only the site's own"}},
  {both, {"listen",               "SOCKET",  "",                            0,    0,                             Option::text,        "unix socket path, HOST:PORT, or fd:N for the one on descriptor N; none: fd:0, from spawn-fcgi"}},
  {poll, {kPushListen,            "SOCKET",  "",                            0,    0,                             Option::text,        "serves the private face as well, on this socket, as letterbox-push does; fd:N: the one on descriptor N"}},
  {both, {"workers",              "N",       "0",                           0,    64,                            Option::integer,     "worker threads; 0: one for two cores, 4 at most: nginx and Redis want the others"}},
  {poll, {"lanes",                "N",       kTextOf<kLanes>,               1,    4000,                          Option::integer,     "Redis connections that listen to the mailboxes' own lists, at most"}},
  {poll, {"max-parked",           "N",       kTextOf<kParkedPolls>,         1,    10000000,                      Option::integer,     "polls that wait at once; fewer if the file descriptors don't suffice"}},
  {push, {"webhook",              "URL",     "",                            0,    0,                             Option::text,        "where a message is posted that no client has acknowledged in time: a URL of http or https; the same for every program with a private face"}},
  {push, {"webhook-after",        "SECONDS", "60",                          1,    3.2e9,                         Option::seconds,     "how long after its push a message is posted that nobody has acknowledged"}},
  {push, {"webhook-secret-file",  "FILE",    "",                            0,    0,                             Option::key_file,    "what posts are signed with, as Standard Webhooks have it: whsec_ and 24 to 64 bytes in base64; on a second line the secret before it, still used"}},
  {poll, {"jwt-key",              "FILE",    "",                            0,    0,                             Option::key_file,    "whose signed tokens are believed: a public key (PEM) for RS256 or EdDSA, or a secret for HS256"}},
  {poll, {"jwt-key-2",            "FILE",    "",                            0,    0,                             Option::key_file,    "a second such key, while one takes the place of the other"}},
  {poll, {"jwt-audience",         "NAME",    "",                            0,    0,                             Option::text,        "signed tokens must be for this audience; none: for any"}},
  {both, {"jwt-life-max",         "SECONDS", kSecondsOf<kSignedLifeMs>,     1,    3.2e9,                         Option::seconds,     "signed tokens that live longer are refused; a kick is remembered for as long"}},
  {push, {"token-life",           "SECONDS", kSecondsOf<kTokenLifeMs>,      1,    kTokenLifeMostMs / 1e3,       Option::seconds,     "how long a token lives whose maker says nothing of it"}},
  {push, {"tokens-max",           "N",       kTextOf<kUserTokens>,          1,    10000,                         Option::integer,     "tokens of one user; the oldest is revoked for another"}},
  {poll, {"open",                 "",        "",                            0,    0,                             Option::flag,        "believe user=NAME in the query: development and trusted networks only"}},
  {poll, {"poll-timeout",         "SECONDS", kSecondsOf<kPollMs>,           0,    3600,                          Option::seconds,     "how long a poll waits that says nothing of it"}},
  {poll, {"poll-timeout-max",     "SECONDS", kSecondsOf<kPollMostMs>,       0,    3600,                          Option::seconds,     "how long a poll may ask to wait; below nginx' fastcgi_read_timeout"}},
  {poll, {"stream-ping",          "SECONDS", kSecondsOf<kStreamPingMs>,     0.05, 3600,                          Option::seconds,     "after how long of silence a stream is sent a comment, or after twice as long; nginx' fastcgi_read_timeout must be more than twice this"}},
  {push, {"body-max",             "BYTES",   kTextOf<kPushBodyBytes>,       1,    kPushBodyMostBytes,            Option::integer,     "longest body of a push"}},
  {push, {"recipients-max",       "N",       kTextOf<kRecipients>,          1,    100000,                        Option::integer,     "most recipients that one push names; a group is one"}},
  {push, {"broadcast-max",        "N",       kTextOf<kBroadcastRecipients>, 1,    10000000,                      Option::integer,     "most recipients of one push to groups or to everybody online"}},
  {push, {"broadcast-bytes",      "BYTES",   kTextOf<kBroadcastBytes>,      1,    1e12,                          Option::integer,     "most bytes that such a push may store, all recipients together"}},
  {push, {"group-max",            "N",       kTextOf<kGroupMembers>,        1,    10000000,                      Option::integer,     "most members of a group"}},
  {both, {"mailbox-max",          "N",       kTextOf<kMailboxMessages>,     1,    1000000,                       Option::integer,     "messages kept a mailbox; the oldest go first"}},
  {both, {"mailbox-bytes",        "BYTES",   kTextOf<kMailboxBytes>,        1,    1e12,                          Option::integer,     "bytes of messages kept a mailbox; the oldest go first, the newest stays"}},
  {both, {"clients-max",          "N",       kTextOf<kUserClients>,         1,    10000,                         Option::integer,     "clients of one user; who has been away longest is forgotten for another"}},
  {both, {"mailbox-life",         "SECONDS", kSecondsOf<kMailboxLifeMs>,    1,    3.2e9,                         Option::seconds,     "how long a mailbox lives after its last push or poll"}},
  {push, {"idempotency-life",     "SECONDS", kSecondsOf<kRecordLifeMs>,     1,    3.2e9,                         Option::seconds,     "how long a push that comes again with the same Idempotency-Key is known for the same"}},
  {both, {"client-life",          "SECONDS", kSecondsOf<kClientLifeMs>,     0.1,  3.2e9,                         Option::seconds,     "how long messages are kept for a client that stays away"}},
  {both, {"events-to",            "NAME",    "",                            0,    0,                             Option::text,        "who gets a message as users come online and leave: a user, group:NAME or *; the same for both programs"}},
  {both, {"log",                  "FILE",    "",                            0,    0,                             Option::path,        "where the log goes; none: standard error. SIGHUP reopens it"}},
  {both, {"log-level",            "LEVEL",   "info",                        0,    0,                             Option::text,        "error, warn or info"}},
  {both, {"check",                "",        "",                            0,    0,                             Option::action,      "say what is wrong with Redis, the limits of this process and the settings, and exit: 1 if something does not work"}},
  {both, {"acl",                  "",        "",                            0,    0,                             Option::action,      "print the line that makes a user of Redis' access lists, and exit"}},
  {both, {"settings",             "",        "",                            0,    0,                             Option::action,      "print all settings in effect as variables, and exit; of secrets the names of their files"}},
  {both, {"help",                 "",        "",                            0,    0,                             Option::action,      "print this, and exit"}},
  {both, {"version",              "",        "",                            0,    0,                             Option::action,      "print the version, and exit"}},
};
// clang-format on

std::vector<Option> rows_of(unsigned faces) {
  std::vector<Option> options;
  for (const Row& row : kTable) {
    if ((row.face & faces) != 0) options.push_back(row.option);
  }
  return options;
}

// letterbox-poll may serve both faces. While it serves one, the options of the other are none of
// its business: in the environment, which both programs may share, they are letterbox-push's.
std::vector<Option> rows_of_poll() {
  std::vector<Option> options;
  for (const Row& row : kTable) {
    options.push_back(row.option);
    if (row.face == push) options.back().with = kPushListen;
  }
  return options;
}

uint64_t ms(const Config& config, std::string_view name) {
  return static_cast<uint64_t>(std::llround(config.seconds(name) * 1000));
}

}  // namespace

std::span<const Option> poll_options() {
  static const std::vector<Option> options = rows_of_poll();
  return options;
}

std::span<const Option> push_options() {
  static const std::vector<Option> options = rows_of(Face::push);
  return options;
}

Result<RedisLogin, std::string> redis_login(const Config& config) {
  const auto address = RedisAddress::parse(config.text("redis"));
  if (!address) return "--redis: " + address.error();
  RedisLogin login;
  login.address = *address;
  login.user = config.text("redis-user");
  login.password = config.secret("redis-password-file");
  login.db = static_cast<int>(config.integer("redis-db"));
  login.patience_ms = ms(config, "redis-timeout");
  if (!login.address.nodes.empty() && login.db != 0) {
    return std::string("--redis-db: a Redis Cluster has the database 0 alone");
  }
  return login;
}

Result<void, std::string> check_redis_prefix(const Config& config) {
  const std::string prefix(config.text("redis-prefix"));
  if (valid_key_prefix(prefix)) return {};
  return "--redis-prefix is at most 64 characters of A-Z a-z 0-9 . _ - @ : +, not '" + prefix + "'";
}

MailboxLimits mailbox_limits(const Config& config) {
  MailboxLimits limits;
  limits.messages_kept = static_cast<size_t>(config.integer("mailbox-max"));
  limits.bytes_kept = static_cast<size_t>(config.integer("mailbox-bytes"));
  limits.clients = static_cast<size_t>(config.integer("clients-max"));
  limits.life_ms = ms(config, "mailbox-life");
  limits.record_life_ms = ms(config, "idempotency-life");
  limits.webhook_ms = config.text("webhook").empty() ? 0 : ms(config, "webhook-after");
  limits.client_life_ms = ms(config, "client-life");
  return limits;
}

size_t webhook_descriptors(const Config& config) {
  constexpr size_t kMost = 64;
  return config.text("webhook").empty() ? 0 : kMost;
}

size_t redis_descriptors(const Config& config) {
  constexpr size_t kNodes = 32;
  const auto lanes = static_cast<size_t>(config.integer("lanes"));
  if (parts() == 1) return lanes;
  // A part has a lane at least, an address, and notices.
  return std::max(lanes, parts()) + 2 * parts() + kNodes * worker_count(config);
}

// A poll that waits holds a descriptor. A sixteenth is left for the connections of requests that
// are answered at once, also those that are turned away; lanes, files and Redis come on top.
RoomLimits room_limits(const Config& config, size_t descriptors) {
  const size_t reserve = redis_descriptors(config) + own_descriptors(worker_count(config)) +
                         webhook_descriptors(config) + descriptors / 16;
  const size_t left = descriptors - std::min(descriptors, reserve);
  RoomLimits limits;
  limits.parked =
      std::min(static_cast<size_t>(config.integer("max-parked")), std::max(left, descriptors / 4));
  limits.clients = static_cast<size_t>(config.integer("clients-max"));
  return limits;
}

PollRules poll_rules(const Config& config) {
  PollRules rules;
  rules.timeout_max_ms = ms(config, "poll-timeout-max");
  rules.timeout_ms = std::min(ms(config, "poll-timeout"), rules.timeout_max_ms);
  return rules;
}

EventRules event_rules(const Config& config) { return {.ping_ms = ms(config, "stream-ping")}; }

PushRules push_rules(const Config& config) {
  PushRules rules;
  rules.body_max = static_cast<size_t>(config.integer("body-max"));
  rules.recipients_max = static_cast<size_t>(config.integer("recipients-max"));
  rules.broadcast.recipients = static_cast<size_t>(config.integer("broadcast-max"));
  rules.broadcast.bytes = static_cast<uint64_t>(config.integer("broadcast-bytes"));
  rules.key_life_ms = ms(config, "idempotency-life");
  rules.ttl_max_ms = ms(config, "mailbox-life");
  return rules;
}

// From the first moment at which one is believed to the last.
uint64_t signed_life_ms(const Config& config) { return ms(config, "jwt-life-max") + 2 * kLeewayMs; }

TokenRules token_rules(const Config& config) {
  return {.life_ms = ms(config, "token-life"),
          .most = static_cast<size_t>(config.integer("tokens-max"))};
}

Result<SignedTokens, std::string> signed_tokens(const Config& config) {
  std::vector<std::string> keys;
  for (const auto name : {"jwt-key", "jwt-key-2"}) {
    const auto key = config.secret(name);
    if (!key.empty()) keys.emplace_back(key);
  }
  auto tokens = SignedTokens::with(keys, {.audience = std::string(config.text("jwt-audience")),
                                          .life_max_ms = signed_life_ms(config),
                                          .leeway_ms = kLeewayMs});
  if (!tokens) return "--jwt-key: " + tokens.error();
  return tokens;
}

Result<std::vector<PushKey>, std::string> push_keys(const Config& config) {
  if (config.text("key-file").empty()) return std::vector<PushKey>();
  auto keys = parse_push_keys(config.secret("key-file"));
  if (!keys) return "--key-file: " + keys.error();
  return keys;
}

Result<Origins, std::string> origins(const Config& config) {
  auto origins = Origins::parse(config.text("origin"));
  if (!origins) return "--origin: " + origins.error();
  return origins;
}

Result<void, std::string> check_events_to(const Config& config) {
  const auto name = config.text("events-to");
  const Recipient to = Recipient::parse(std::string(name));
  if (name.empty() || to.kind == Recipient::Kind::user || to.stands_for_many()) return {};
  return std::string("--events-to is a user's name, group:NAME, or * for everybody online");
}

PresenceRules presence_rules(const Config& config) {
  PresenceRules rules;
  rules.events = !config.text("events-to").empty();
  rules.clients = static_cast<size_t>(config.integer("clients-max"));
  return rules;
}

size_t worker_count(const Config& config) {
  const auto asked = static_cast<size_t>(config.integer("workers"));
  if (asked > 0) return asked;
  return std::clamp<size_t>(std::thread::hardware_concurrency() / 2, 1, 4);
}

}  // namespace letterbox
