// SPDX-License-Identifier: MIT
#include "mailbox/redis_store.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "base/text.h"
#include "mailbox/failure.h"
#include "mailbox/keys.h"
#include "model/json.h"
#include "model/message.h"
#include "model/names.h"
#include "scripts.h"

namespace letterbox {

namespace {

// Of read.lua's reply: where the elements begin.
constexpr size_t kReadHead = 7;

// As many of the list's first elements as read.lua looks at for raw ones.
constexpr std::string_view kAdoptedUpTo = "15";

// Whether messages have expired is found out by looking at them: at most so many of a mailbox, as
// somebody looks at it, and so many for a client's count.
constexpr std::string_view kViewedMost = "10000";
constexpr std::string_view kUnreadViewedMost = "32";

// So many acknowledged messages may stand in a list besides those that count: push.lua.
constexpr size_t kNotYetDropped = 7;

uint64_t number(const Reply& reply) { return static_cast<uint64_t>(reply.integer()); }

// Of push.lua's reply for a mailbox: its `waiting`, if the caller itself watches.
constexpr int64_t kWatchedHere = 2;

Or<Pushed> to_outcome(const Reply& reply) {
  if (reply.size() < 4) return failure_of(reply);
  return Pushed{{number(reply[0]), number(reply[1])}, number(reply[2]), reply[3].integer() != 0};
}

// As if Redis had taken none of them, for want of replicas.
std::vector<Or<Pushed>> unconfirmed(std::vector<Or<Pushed>> outcomes) {
  for (auto& outcome : outcomes) {
    if (outcome) outcome = store_unavailable("not enough replicas of the message store have it");
  }
  return outcomes;
}

// The message that a raw element becomes. It is on nobody's account: no replica is waited for,
// since nobody was promised that it is kept.
std::string adopted(std::string_view raw, uint64_t now) {
  return make_element(kDefaultType, json_string(utf8_lossy(raw)), now, 0);
}

// Of a mailbox that has forked: what was given in an earlier epoch keeps its id. `forks` is
// `<EPOCH:LAST` of each, the oldest first.
Cursor id_of(const Cursor& position, std::string_view forks) {
  while (!forks.empty()) {
    const std::string_view fork = forks.substr(1, forks.find('<', 1) - 1);
    const size_t colon = std::min(fork.find(':'), fork.size() - 1);
    if (position.seq <= parse_u64(fork.substr(colon + 1)).value_or(0)) {
      return {parse_u64(fork.substr(0, colon)).value_or(0), position.seq};
    }
    forks.remove_prefix(fork.size() + 1);
  }
  return position;
}

Reading to_reading(const Reply& reply, uint64_t now) {
  const uint64_t epoch = number(reply[0]);
  uint64_t seq = number(reply[1]);
  Reading reading;
  reading.newest = {epoch, number(reply[2])};
  reading.missed = number(reply[3]);
  reading.reset = reply[4].integer() != 0;
  reading.raw = reply[5].integer() != 0;
  for (size_t i = kReadHead; i < reply.size(); ++i) {
    ++seq;
    const auto element = parse_element(reply[i].text());
    if (!element || (element->expires != 0 && element->expires <= now)) {
      ++reading.missed;
      continue;
    }
    reading.messages.push_back({id_of({epoch, seq}, reply[6].text()), element->body});
  }
  reading.cursor = id_of({epoch, seq}, reply[6].text());
  if (epoch == 0) reading.cursor = reading.newest = {};
  return reading;
}

// "EPOCH SEQ SEEN PARKED", as read.lua writes it.
MailboxView::Client to_client(std::string_view name, std::string_view line, uint64_t now,
                              uint64_t client_life) {
  std::array<uint64_t, 4> fields{};
  for (auto& field : fields) field = parse_u64(take_until(line, ' ')).value_or(0);
  MailboxView::Client client;
  client.name = name;
  if (fields[0] != 0) client.cursor = {fields[0], fields[1]};
  client.seen_ms = fields[2];
  client.parked = fields[3] > now;
  client.live = client.parked || client.seen_ms + client_life > now;
  return client;
}

}  // namespace

RedisStore::RedisStore(RedisConnection& redis, const Clock& clock, const MailboxLimits& limits,
                       std::string_view program)
    : redis_(redis), clock_(clock), limits_(limits), watcher_(watcher_of(program)) {}

void RedisStore::tell_here(Here here) { here_ = std::move(here); }

// Expiries are renewed once a 64th of a mailbox's life has passed, so they are that much longer;
// the lists' longer still, so that `base` never outlives them.
RedisStore::Lives RedisStore::lives(uint64_t now) const {
  const uint64_t slack = limits_.life_ms / 64;
  return {std::to_string(now - slack), std::to_string(limits_.life_ms + slack),
          std::to_string(limits_.life_ms + 4 * slack + 1)};
}

void RedisStore::push_each(std::span<const std::string_view> users, std::string_view element,
                           ThenEach then) {
  send_push(users, element, std::nullopt,
            [this, then = std::move(then)](std::vector<Or<Pushed>> outcomes) {
              const bool any = std::any_of(outcomes.begin(), outcomes.end(),
                                           [](const auto& outcome) { return bool(outcome); });
              if (replicas_ == 0 || !any) return then(outcomes);
              taken_.push_back({std::move(outcomes), then});
              confirm_taken();
            });
}

// `raw`: the element of the list that this is made of, and which goes out of it in the same step.
void RedisStore::send_push(std::span<const std::string_view> users, std::string_view element,
                           std::optional<std::string_view> raw, ThenOutcomes then) {
  const std::vector<MailboxKeys> mailboxes(users.begin(), users.end());
  std::vector<std::string_view> keys;
  keys.reserve(4 * users.size() + 1);
  for (const auto& mailbox : mailboxes) {
    for (const auto key : mailbox.views()) keys.push_back(key);
  }
  keys.push_back(kReignKey);
  const uint64_t wall = clock_.wall_ms();
  const std::string now = std::to_string(wall);
  const Lives life = lives(wall);
  const std::string cap = std::to_string(limits_.messages_kept);
  const std::string short_bytes =
      std::to_string(limits_.bytes_kept / (limits_.messages_kept + kNotYetDropped));
  const std::string bytes_cap = std::to_string(limits_.bytes_kept);
  const std::string ring_bytes = std::to_string(limits_.ring_bytes);
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const std::string_view here = here_.rung ? std::string_view(watcher_) : std::string_view();
  const std::string hears = std::to_string(redis_.patience_ms() / 4 * 3);
  const std::array<std::string_view, 13> arguments{now,
                                                   element,
                                                   cap,
                                                   ring_bytes,
                                                   life.due_before,
                                                   life.base,
                                                   life.others,
                                                   client_life,
                                                   short_bytes,
                                                   bytes_cap,
                                                   here,
                                                   hears,
                                                   raw.value_or("")};
  redis_.eval(lua::push, keys, std::span(arguments).first(raw ? 13 : 12),
              [this, owners = std::vector<std::string>(users.begin(), users.end()),
               element = std::string(element),
               then = std::move(then)](const Reply& reply) { then(took(reply, owners, element)); });
}

// What became of a push to each of these. Whoever waits for it here is told.
std::vector<Or<Pushed>> RedisStore::took(const Reply& reply, const std::vector<std::string>& users,
                                         std::string_view element) {
  std::vector<Or<Pushed>> outcomes;
  if (reply.ok() && reply.size() == 0) return outcomes;  // the raw element was gone
  if (!reply.came() && here_.in_doubt) here_.in_doubt(users);
  outcomes.reserve(users.size());
  for (size_t i = 0; i < users.size(); ++i) {
    const Reply one = i < reply.size() ? reply[i] : reply;
    const auto& outcome = outcomes.emplace_back(to_outcome(one));
    if (!outcome) continue;
    pushed_.messages.add();
    pushed_.bytes.add(element.size());
    if (one[3].integer() == kWatchedHere) here_.rung(users[i], ring_of(outcome->id, element));
  }
  return outcomes;
}

void RedisStore::confirm_by(size_t replicas, uint64_t most_ms) {
  replicas_ = replicas;
  replicas_most_ms_ = most_ms;
}

// A WAIT answers for everything that was done before it on this connection, and holds up what comes
// behind it: so there is one at a time, and the pushes that are answered meanwhile share the next.
void RedisStore::confirm_taken() {
  if (confirming_ || taken_.empty()) return;
  confirming_ = true;
  const std::string replicas = std::to_string(replicas_);
  const std::string most = std::to_string(replicas_most_ms_);
  redis_.command(
      {"WAIT", replicas, most},
      [this, asked_for = std::exchange(taken_, {})](const Reply& reply) {
        confirming_ = false;
        const bool confirmed = reply.ok() && number(reply) >= replicas_;
        // Without a connection nobody will ever say what has become of the others either.
        const auto lost = reply.came() ? std::vector<Taken>{} : std::exchange(taken_, {});
        for (const auto& [outcomes, then] : asked_for) {
          then(confirmed ? outcomes : unconfirmed(outcomes));
        }
        for (const auto& [outcomes, then] : lost) then(unconfirmed(outcomes));
        confirm_taken();
      },
      replicas_most_ms_);
}

void RedisStore::read(const ReadRequest& request, Then<Reading> then) {
  if (request.limit == 0 && request.after && !request.foreign) {
    note(request, std::move(then));
  } else {
    read_all(request, clock_.wall_ms(), std::move(then));
  }
}

void RedisStore::note(const ReadRequest& request, Then<Reading> then) {
  const MailboxKeys keys(request.user);
  const uint64_t wall = clock_.wall_ms();
  const std::string now = std::to_string(wall);
  const Lives life = lives(wall);
  const std::string epoch = std::to_string(request.after->epoch);
  const std::string seq = std::to_string(request.after->seq);
  const std::string park = std::to_string(request.park_until);
  const std::string watch = std::to_string(request.watch_until);
  const std::array<std::string_view, 3> names{keys.base, keys.unacked, keys.clients};
  const std::array<std::string_view, 9> arguments{
      now, request.client, epoch, seq, park, watcher_, watch, life.due_before, life.base};
  redis_.eval(
      lua::note, names, arguments,
      [this, request, wall, user = std::string(request.user), client = std::string(request.client),
       then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(store_unavailable());
        if (reply.integer() == 1) return then(Reading{});
        ReadRequest whole = request;
        whole.user = user;
        whole.client = client;
        // As of when the note was made: it must not overwrite what has been seen of its client
        // since.
        read_all(whole, wall, then);
      },
      RedisConnection::Hurry::soon);
}

// One HSET, no script: push.lua looks at the clients' lines anyway, and drops what is acknowledged.
// That may overtake nothing, and be overtaken: an older line keeps messages longer, no more.
void RedisStore::acknowledge(std::string_view user, std::string_view client, const Cursor& after,
                             uint64_t park_until, Then<bool> then) {
  std::string line;
  append_u64(line, after.epoch);
  for (const uint64_t field : {after.seq, clock_.wall_ms(), park_until}) {
    line += ' ';
    append_u64(line, field);
  }
  const std::string key = clients_key(user);
  redis_.command(
      {"HSET", key, client, line},
      [this, key, then = std::move(then)](const Reply& reply) {
        if (!reply.ok()) return then(failure_of(reply, key));
        const bool new_line = reply.integer() != 0;
        // It may be the first: then the key has just been made, and must go by itself some day.
        if (new_line) {
          redis_.command({"PEXPIRE", key, lives(clock_.wall_ms()).others}, [](const Reply&) {});
        }
        then(!new_line);
      },
      RedisConnection::Hurry::soon);
}

void RedisStore::read_all(const ReadRequest& request, uint64_t now, Then<Reading> then) {
  const MailboxKeys keys(request.user);
  const Lives life = lives(now);
  const std::array<std::string, 7> numbers{
      std::to_string(now),
      request.after ? std::to_string(request.after->seq) : "0",
      std::to_string(request.limit),
      std::to_string(limits_.answer_bytes),
      std::to_string(limits_.client_life_ms),
      std::to_string(request.watch_until),
      std::to_string(request.park_until),
  };
  // A foreign cursor becomes one of an epoch that no mailbox has.
  const std::string epoch = request.foreign ? "foreign"
                            : request.after ? std::to_string(request.after->epoch)
                                            : "";
  const std::string clients = std::to_string(limits_.clients);
  const Cursor acknowledged = request.acknowledged.value_or(Cursor{});
  const std::string ack_epoch = std::to_string(acknowledged.epoch);
  const std::string ack_seq = std::to_string(acknowledged.seq);
  const std::array<std::string_view, 16> arguments{
      numbers[0],  request.client, epoch,      numbers[1], numbers[2],      numbers[3],
      numbers[4],  watcher_,       numbers[5], numbers[6], life.due_before, life.base,
      life.others, clients,        ack_epoch,  ack_seq};
  redis_.eval(lua::read, keys.with_reign(),
              std::span(arguments).first(request.acknowledged ? 16 : 14),
              [then = std::move(then), now](const Reply& reply) {
                if (reply.ok() && reply.size() == 0) return then(too_many_clients());
                if (!reply.ok() || reply.size() < kReadHead) return then(failure_of(reply));
                then(to_reading(reply, now));
              });
}

void RedisStore::view(std::string_view user, Then<MailboxView> then) {
  const MailboxKeys keys(user);
  const uint64_t now = clock_.wall_ms();
  const std::string now_text = std::to_string(now);
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const std::array<std::string_view, 3> arguments{now_text, client_life, kViewedMost};
  redis_.eval(
      lua::view, keys.views(), arguments,
      [then = std::move(then), now, life = limits_.client_life_ms](const Reply& reply) {
        if (!reply.ok() || reply.size() < 6) return then(failure_of(reply));
        const uint64_t epoch = number(reply[0]);
        MailboxView view;
        view.queued = number(reply[3]);
        if (epoch != 0) view.newest = {epoch, number(reply[2])};
        if (view.queued > 0) view.oldest = id_of({epoch, number(reply[1])}, reply[5].text());
        const Reply clients = reply[4];
        for (size_t i = 0; i + 1 < clients.size(); i += 2) {
          view.clients.push_back(to_client(clients[i].text(), clients[i + 1].text(), now, life));
          Cursor& cursor = view.clients.back().cursor;
          if (cursor.epoch == epoch) cursor = id_of(cursor, reply[5].text());
        }
        then(std::move(view));
      });
}

void RedisStore::unread(std::string_view user, std::string_view client, Then<uint64_t> then) {
  const MailboxKeys keys(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::string client_life = std::to_string(limits_.client_life_ms);
  const std::array<std::string_view, 3> names{keys.base, keys.unacked, keys.clients};
  const std::array<std::string_view, 4> arguments{now, client, client_life, kUnreadViewedMost};
  redis_.eval(lua::unread, names, arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(number(reply));
  });
}

void RedisStore::remove(std::string_view user, Then<bool> then) {
  const MailboxKeys keys(user);
  const std::string now = std::to_string(clock_.wall_ms());
  const std::array<std::string_view, 1> arguments{now};
  redis_.eval(lua::remove, keys.views(), arguments, [then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply));
    then(reply.integer() != 0);
  });
}

void RedisStore::adopt(std::string_view user, std::string_view raw, Then<Pushed> then) {
  send_push({&user, 1}, adopted(raw, clock_.wall_ms()), std::nullopt,
            [then = std::move(then)](const auto& outcomes) { then(outcomes.front()); });
}

void RedisStore::adopt_all(std::string_view user, Then<bool> then) {
  const std::string key = mailbox_key(user);
  redis_.command({"LRANGE", key, "0", kAdoptedUpTo}, [this, key, owner = std::string(user),
                                                      then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return then(failure_of(reply, key));
    std::deque<std::string> raws;
    for (size_t i = 0; i < reply.size(); ++i) {
      const auto element = reply[i].text();
      if (parse_ring(element).kind == Ring::Kind::raw) raws.emplace_back(element);
    }
    adopt_each(owner, std::move(raws), then);
  });
}

// One after the other: where one can't be adopted, none behind it overtakes it.
void RedisStore::adopt_each(const std::string& user, std::deque<std::string> raws,
                            const Then<bool>& then) {
  if (raws.empty()) return then(true);
  const std::string raw = std::move(raws.front());
  raws.pop_front();
  const std::string_view owner = user;
  send_push({&owner, 1}, adopted(raw, clock_.wall_ms()), raw,
            [this, user, raws = std::move(raws), then](const auto& outcomes) {
              // (None: somebody else was quicker, and has it.)
              if (!outcomes.empty() && !outcomes.front()) return then(outcomes.front().error());
              adopt_each(user, raws, then);
            });
}

}  // namespace letterbox
