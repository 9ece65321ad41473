// SPDX-License-Identifier: MIT
#include "push_face.h"

#include <memory>
#include <utility>

#include "handlers/admin.h"
#include "handlers/groups.h"
#include "handlers/standing.h"
#include "handlers/tokens.h"
#include "handlers/users.h"
#include "mailbox/groups.h"
#include "settings.h"

namespace letterbox {

namespace {

// What a worker pushes with.
struct Office {
  Office(Worker& worker, const Clock& clock, size_t members_max, const PushRules& rules)
      : groups(worker.redis, clock, members_max), push(worker.store, groups, clock, rules) {}

  RedisGroups groups;
  PushHandler push;
};
using OfficePtr = std::shared_ptr<Office>;

void add_push_routes(Router& router, const OfficePtr& office) {
  router.add("POST", "/push", [office](const Request& request, const Query& query, Answer answer) {
    office->push.push(request, query, std::move(answer));
  });
  const auto groups = std::make_shared<GroupsHandler>(office->groups);
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

void add_user_routes(Router& router, Worker& worker) {
  const auto users = std::make_shared<UsersHandler>(worker.presence, worker.access);
  router.add("GET", "/users", [users](const Request&, const Query& query, Answer answer) {
    users->view(query, std::move(answer));
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
             std::string_view type, std::string_view data, const std::function<void(bool)>& taken) {
    office->push.push(name, type, data,
                      [taken](const Response& response) { taken(response.status < 300); });
  };
}

}  // namespace

Result<PushSettings, std::string> push_settings(const Config& config) {
  auto keys = push_keys(config);
  if (!keys) return keys.error();
  return PushSettings{push_rules(config), std::move(*keys)};
}

PushFace::PushFace(Program& program, PushSettings settings)
    : guard_(std::move(settings.keys), static_cast<uint64_t>(program.config().integer("push-rate")),
             program.clock()) {
  const auto members_max = static_cast<size_t>(program.config().integer("group-max"));
  const auto replicas = static_cast<size_t>(program.config().integer("redis-replicas"));
  std::vector<OfficePtr> offices;
  for (auto& worker : program.workers()) {
    // A part of the patience: what stands in line behind must keep some.
    worker->store.confirm_by(replicas, program.login().patience_ms / 4);
    offices.push_back(
        std::make_shared<Office>(*worker, program.clock(), members_max, settings.rules));
    Router& router = worker->private_front.router;
    router.guard_by(
        [this](const Request& request, Answer& answer) { return guard_.admits(request, answer); });
    add_push_routes(router, offices.back());
    add_mailbox_routes(router, *worker, program.clock());
    add_token_routes(router, *worker, program);
    add_user_routes(router, *worker);
  }
  Worker& first = *program.workers().front();
  sweeper_ = std::make_unique<Sweeper>(
      first.loop, first.presence,
      deliver_to(std::string(program.config().text("events-to")), offices.front()));
  first.loop.post([this] { sweeper_->start(); });
}

PushFace::~PushFace() = default;

}  // namespace letterbox
