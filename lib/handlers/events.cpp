// SPDX-License-Identifier: MIT
#include "handlers/events.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "handlers/poll.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

Or<EventFormat> read_format(const Query& query) {
  const auto format = query.single("format");
  if (!format) return format.error();
  if (!*format || **format == "json") return EventFormat::json;
  if (**format == "raw") return EventFormat::raw;
  return Error{Code::bad_request, "format is json or raw"};
}

}  // namespace

EventsHandler::EventsHandler(Desk& desk, const Gate& gate, const Entrance& entrance, Room& room,
                             const EventRules& rules)
    : desk_(desk),
      gate_(gate),
      entrance_(entrance),
      room_(room),
      pinger_(desk.loop, rules.ping_ms) {}

Or<EventsHandler::Wish> EventsHandler::read(const Request& request, const Query& query) {
  auto client = read_client(query);
  if (!client) return client.error();
  const auto timeout = read_timeout(query, kStreamMs, kStreamLeastMs, kStreamMostMs);
  if (!timeout) return timeout.error();
  const auto format = read_format(query);
  if (!format) return format.error();
  const auto after = query.single("after");
  if (!after) return after.error();

  Wish wish;
  wish.format = *format;
  wish.question.client = std::move(*client);
  wish.question.timeout_ms = *timeout;
  wish.question.limit = kStreamReadMessages;
  wish.question.stream = true;
  wish.question.by_cursor = true;
  // A browser that comes back sends Last-Event-ID by itself. That is later than the `after` that
  // its page wrote.
  if (!request.last_event_id.empty()) {
    wish.start = Start::given;
    set_cursor(wish.question, request.last_event_id);
  } else if (*after) {
    wish.start = set_start(wish.question, **after);
  }
  return wish;
}

void EventsHandler::events(const Request& request, const Query& query, Answer answer) {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse_stream(answer, caller.error());
  auto wish = read(request, query);
  if (!wish) return refuse_stream(answer, wish.error());
  entrance_.admit(*caller, request.remote_addr,
                  Visit<Wish>{std::move(*wish), Sender(request), caller->heard, std::move(answer)},
                  refuse_stream, [this](Visit<Wish> visit) { enter(std::move(visit)); });
}

void EventsHandler::enter(Visit<Wish> visit) {
  Question& question = visit.wish.question;
  const auto there = [this, user = question.user, client = question.client, from = visit.from] {
    entrance_.seen(user, client, from, 2 * pinger_.every_ms());
  };
  there();
  const std::string position = question.foreign ? "" : question.after.text();
  const auto stream =
      std::make_shared<EventStream>(std::move(visit.answer), visit.wish.format, position, there);
  pinger_.add(stream);
  entrance_.enter(std::move(question), stream, visit.heard);
}

void EventsHandler::acknowledge(const Request& request, const Query& query, Answer answer) {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse(answer, caller.error());
  auto client = read_client(query);
  if (!client) return refuse(answer, client.error());
  const auto after = query.single("after");
  if (!after) return refuse(answer, after.error());
  const auto cursor = *after ? Cursor::parse(**after) : std::nullopt;
  if (!cursor || cursor->seq == 0) {
    return refuse(answer, {Code::bad_request, "after is the id of a message"});
  }
  Question question;
  question.client = std::move(*client);
  gate_.admit(*caller, request.remote_addr,
              [this, question = std::move(question), cursor = *cursor,
               answer = std::move(answer)](const Or<AdmissionPtr>& admission) mutable {
                if (!admission) return refuse(answer, admission.error());
                const auto named = entrance_.name(question, *admission);
                if (!named) return refuse(answer, named.error());
                room_.acknowledge(desk_, question.user, question.client, cursor,
                                  answering(std::move(answer), [cursor](bool) {
                                    return R"({"acknowledged":")" + cursor.text() + "\"}\n";
                                  }));
              });
}

}  // namespace letterbox
