// SPDX-License-Identifier: MIT
#include "handlers/admin.h"

#include <algorithm>
#include <string>
#include <utility>

#include "handlers/parameters.h"
#include "handlers/reply.h"
#include "model/json.h"

namespace letterbox {

namespace {

// Empty: there is no such message.
std::string id_text(const Cursor& id) { return id == Cursor{} ? std::string() : id.text(); }

std::string to_json(std::string_view user, const MailboxView& view, uint64_t now) {
  JsonWriter json;
  json.begin_object().key("user").string(user);
  json.key("queued").number(static_cast<int64_t>(view.queued));
  json.key("oldest").string_or_null(id_text(view.oldest));
  json.key("newest").string_or_null(id_text(view.newest));
  json.key("polls").number(std::count_if(view.clients.begin(), view.clients.end(),
                                         [](const auto& c) { return c.parked; }));
  json.key("clients").begin_array();
  for (const auto& client : view.clients) {
    if (!client.live) continue;
    json.begin_object().key("client").string(client.name);
    json.key("cursor").string(client.cursor.text());
    json.key("seen_ms_ago").number(static_cast<int64_t>(now - std::min(now, client.seen_ms)));
    json.key("waiting").boolean(client.parked).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace

AdminHandler::AdminHandler(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

void AdminHandler::view(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  store_.view(*user, answering(std::move(answer), [name = *user, this](const MailboxView& view) {
    return to_json(name, view, clock_.wall_ms());
  }));
}

void AdminHandler::remove(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  store_.remove(*user, answering(std::move(answer), [](bool removed) {
    return removed ? "{\"deleted\":true}\n" : "{\"deleted\":false}\n";
  }));
}

}  // namespace letterbox
