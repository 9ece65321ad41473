// SPDX-License-Identifier: MIT
#include "handlers/admin.h"

#include <algorithm>
#include <string>
#include <utility>

#include "model/json.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

// The text of an id; empty if there is no such message.
std::string id_text(const Cursor& id) { return id == Cursor{} ? std::string() : id.text(); }

// Which messages are shown: none, unless limit= or after= is given. Errors: bad_limit, bad_request,
// repeated_parameter.
Or<Window> read_window(const Query& query) {
  const auto limit = read_limit(query);
  if (!limit) return limit.error();
  const auto after = query.single("after");
  if (!after) return after.error();
  if (!*after && !query.has("limit")) return Window{};
  const auto cursor = Cursor::parse(after->value_or("0"));
  if (!cursor) return Error{Code::bad_request, "after is the id of a message, or 0"};
  return Window{*cursor, *limit};
}

std::string to_json(std::string_view user, const MailboxView& view, bool messages, uint64_t now) {
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
  json.end_array();
  json.key("cursor").string(view.newest.text());
  if (messages) {
    json.key("messages").begin_array();
    for (const auto& message : view.messages) {
      std::string text;
      append_message(text, message);
      json.raw(text);
    }
    json.end_array();
  }
  json.end_object();
  return json.take() + "\n";
}

}  // namespace

AdminHandler::AdminHandler(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

void AdminHandler::view(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  const auto window = read_window(query);
  if (!window) return refuse(answer, window.error());
  store_.view(*user, *window,
              answering(std::move(answer), [this, name = *user,
                                            messages = window->limit > 0](const MailboxView& view) {
                return to_json(name, view, messages, clock_.wall_ms());
              }));
}

void AdminHandler::remove(const Query& query, Answer answer) const {
  const auto user = named_user(query);
  if (!user) return refuse(answer, user.error());
  const auto id = query.single("id");
  if (!id) return refuse(answer, id.error());
  if (*id) {
    const auto message = Cursor::parse(**id);
    if (!message || message->seq == 0) {
      return refuse(answer, {Code::bad_request, "id is the id of a message"});
    }
    return store_.retract(*user, *message, answering(std::move(answer), [](bool retracted) {
      return retracted ? "{\"retracted\":true}\n" : "{\"retracted\":false}\n";
    }));
  }
  store_.remove(*user, answering(std::move(answer), [](bool removed) {
    return removed ? "{\"deleted\":true}\n" : "{\"deleted\":false}\n";
  }));
}

}  // namespace letterbox
