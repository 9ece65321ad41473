// SPDX-License-Identifier: MIT
#include "push_face.h"

#include <memory>
#include <utility>

#include "handlers/admin.h"
#include "handlers/groups.h"
#include "handlers/scheduled.h"
#include "handlers/standing.h"
#include "handlers/tokens.h"
#include "handlers/users.h"
#include "mailbox/eraser.h"
#include "mailbox/groups.h"
#include "mailbox/parted_calendar.h"
#include "mailbox/parted_eraser.h"
#include "mailbox/parted_groups.h"
#include "mailbox/parted_idempotency.h"
#include "mailbox/redis_calendar.h"
#include "settings.h"

namespace letterbox {

namespace {

// What a worker pushes with.
struct Office {
  Office(Worker& worker, const Program& program, const PushRules& rules)
      : members_max(static_cast<size_t>(program.config().integer("group-max"))),
        groups(
            worker.redis.all(),
            [&](Redis& part) {
              return std::make_unique<RedisGroups>(part, program.clock(), members_max);
            },
            members_max),
        calendars(worker.redis.all(),
                  [&](Redis& part) {
                    return std::make_unique<RedisCalendar>(
                        part, program.clock(), mailbox_limits(program.config()),
                        worker.stores.each()[part.part()]->replicas());
                  }),
        keys(worker.redis.all(),
             [&](Redis& part) {
               return std::make_unique<RedisIdempotencyKeys>(part, rules.key_life_ms);
             }),
        erasers(worker.redis.all(),
                [&](Redis& part) {
                  return std::make_unique<RedisEraser>(
                      part, *worker.stores.each()[part.part()], program.clock(),
                      signed_life_ms(program.config()), presence_rules(program.config()));
                }),
        push(worker.store, groups.all(), calendars.all(), keys.all(), program.clock(), rules) {}

  const size_t members_max;  // of a group
  PerPart<Groups, RedisGroups, PartedGroups> groups;
  PerPart<Calendar, RedisCalendar, PartedCalendar> calendars;
  PerPart<IdempotencyKeys, RedisIdempotencyKeys, PartedIdempotencyKeys> keys;
  PerPart<Eraser, RedisEraser, PartedEraser> erasers;
  PushHandler push;
};
using OfficePtr = std::shared_ptr<Office>;

void add_push_routes(Router& router, const OfficePtr& office) {
  router.add("POST", "/push", [office](const Request& request, const Query& query, Answer answer) {
    office->push.push(request, query, std::move(answer));
  });
  const auto scheduled = std::make_shared<ScheduledHandler>(office->calendars.all());
  router.add("GET", "/scheduled",
             [scheduled, office](const Request&, const Query& query, Answer answer) {
               scheduled->view(query, std::move(answer));
             });
  router.add("DELETE", "/scheduled",
             [scheduled, office](const Request&, const Query& query, Answer answer) {
               scheduled->cancel(query, std::move(answer));
             });
  const auto groups = std::make_shared<GroupsHandler>(office->groups.all(), office->members_max);
  router.add("GET", "/groups", [groups, office](const Request&, const Query& query, Answer answer) {
    groups->list(query, std::move(answer));
  });
  router.add("PUT", "/groups/*",
             [groups, office](const Request& request, const Query& query, Answer answer) {
               groups->put(request, query, std::move(answer));
             });
  router.add("PUT", "/groups/*/*",
             [groups, office](const Request& request, const Query&, Answer answer) {
               groups->add(request, std::move(answer));
             });
  router.add("DELETE", "/groups/*/*",
             [groups, office](const Request& request, const Query&, Answer answer) {
               groups->remove(request, std::move(answer));
             });
  router.add("GET", "/groups/*",
             [groups, office](const Request& request, const Query& query, Answer answer) {
               groups->view(request, query, std::move(answer));
             });
  router.add("DELETE", "/groups/*",
             [groups, office](const Request& request, const Query&, Answer answer) {
               groups->remove_all(request, std::move(answer));
             });
}

void add_mailbox_routes(Router& router, Worker& worker, const Clock& clock) {
  const auto admin = std::make_shared<AdminHandler>(worker.store, clock);
  router.add("GET", "/mailbox", [admin](const Request&, const Query& query, Answer answer) {
    admin->view(query, std::move(answer));
  });
  router.add("DELETE", "/mailbox", [admin](const Request&, const Query& query, Answer answer) {
    admin->remove(query, std::move(answer));
  });
}

void add_token_routes(Router& router, Worker& worker, const Program& program) {
  const auto tokens =
      std::make_shared<TokenHandler>(worker.access, program.clock(), token_rules(program.config()));
  router.add("POST", "/tokens", [tokens](const Request& request, const Query&, Answer answer) {
    tokens->issue(request, std::move(answer));
  });
  router.add("GET", "/tokens", [tokens](const Request&, const Query& query, Answer answer) {
    tokens->list(query, std::move(answer));
  });
  router.add("DELETE", "/tokens", [tokens](const Request&, const Query& query, Answer answer) {
    tokens->revoke(query, std::move(answer));
  });
}

void add_user_routes(Router& router, Worker& worker, const OfficePtr& office) {
  const auto users = std::make_shared<UsersHandler>(worker.presence, worker.access,
                                                    office->groups.all(), office->erasers.all());
  router.add("GET", "/users", [users, office](const Request&, const Query& query, Answer answer) {
    users->view(query, std::move(answer));
  });
  router.add("DELETE", "/users/*",
             [users, office](const Request& request, const Query&, Answer answer) {
               users->erase(request, std::move(answer));
             });
  const auto standing = std::make_shared<StandingHandler>(worker.access);
  router.add("POST", "/users/kick",
             [standing](const Request& request, const Query&, Answer answer) {
               standing->kick(request, std::move(answer));
             });
  router.add("POST", "/users/lock",
             [standing](const Request& request, const Query&, Answer answer) {
               standing->lock(request, std::move(answer));
             });
  router.add("POST", "/users/unlock",
             [standing](const Request& request, const Query&, Answer answer) {
               standing->unlock(request, std::move(answer));
             });
}

// The events of who comes and goes are messages like any other. Nobody's, where no name is given.
Sweeper::Deliver deliver_to(std::string name, OfficePtr office) {
  if (name.empty()) return {};
  return [name = std::move(name), office = std::move(office)](
             std::string_view type, std::string_view data, Callback<void(bool)> taken) {
    office->push.push(name, type, data, [taken = std::move(taken)](const Response& response) {
      taken(response.status < 300);
    });
  };
}

}  // namespace

Result<PushSettings, std::string> push_settings(const Config& config) {
  auto keys = push_keys(config);
  if (!keys) return keys.error();
  auto webhook = webhook_settings(config);
  if (!webhook) return webhook.error();
  return PushSettings{push_rules(config), std::move(*keys), std::move(*webhook)};
}

PushFace::PushFace(Program& program, PushSettings settings)
    : guard_(std::move(settings.keys), static_cast<uint64_t>(program.config().integer("push-rate")),
             program.clock(), program.log()) {
  const auto replicas = static_cast<size_t>(program.config().integer("redis-replicas"));
  std::vector<OfficePtr> offices;
  for (auto& worker : program.workers()) {
    // A part of the patience: what stands in line behind must keep some.
    for (const auto& store : worker->stores.each()) {
      store->replicas().confirm_by(replicas, program.login().patience_ms / 4);
    }
    offices.push_back(std::make_shared<Office>(*worker, program, settings.rules));
    Router& router = worker->private_front.router;
    router.guard_by(
        [this](const Request& request, Answer& answer) { return guard_.admits(request, answer); });
    add_push_routes(router, offices.back());
    add_mailbox_routes(router, *worker, program.clock());
    add_token_routes(router, *worker, program);
    add_user_routes(router, *worker, offices.back());
  }
  Worker& first = *program.workers().front();
  sweeper_ = std::make_unique<Sweeper>(
      first.loop, first.presence,
      deliver_to(std::string(program.config().text("events-to")), offices.front()));
  scheduler_ =
      std::make_unique<Scheduler>(first.loop, offices.front()->calendars.all(), first.store);
  first.loop.post([this] {
    sweeper_->start();
    scheduler_->start();
  });
  if (settings.webhook) webhook_.emplace(program, std::move(*settings.webhook), webhook_figures_);
}

PushFace::~PushFace() = default;

void PushFace::close() {
  if (webhook_) webhook_->stop();
}

}  // namespace letterbox
