// SPDX-License-Identifier: MIT
#include "handlers/events.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "handlers/poll.h"
#include "handlers/reply.h"

namespace letterbox {

namespace {

constexpr uint64_t kLifeMs = 300'000;  // of a stream that says nothing of it
constexpr uint64_t kLifeLeastMs = 1000;
constexpr uint64_t kLifeMostMs = 3'600'000;

// As many messages of a full mailbox are read, and written, at once.
constexpr size_t kAtOnce = 100;

constexpr std::string_view kNewest = "now";

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
  const auto timeout = read_timeout(query, kLifeMs, kLifeLeastMs, kLifeMostMs);
  if (!timeout) return timeout.error();
  const auto format = read_format(query);
  if (!format) return format.error();
  const auto after = query.single("after");
  if (!after) return after.error();

  Wish wish;
  wish.format = *format;
  wish.question.client = std::move(*client);
  wish.question.timeout_ms = *timeout;
  wish.question.limit = kAtOnce;
  wish.question.stream = true;
  wish.question.by_cursor = true;
  // What a browser sends of its own accord as it comes back is later than what its page wrote.
  if (!request.last_event_id.empty()) {
    wish.start = Start::cursor;
    set_cursor(wish.question, request.last_event_id);
  } else if (*after == kNewest) {
    wish.start = Start::newest;
  } else if (*after) {
    wish.start = Start::cursor;
    set_cursor(wish.question, **after);
  }
  return wish;
}

void EventsHandler::events(const Request& request, const Query& query, Answer answer) {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse_stream(answer, caller.error());
  auto wish = read(request, query);
  if (!wish) return refuse_stream(answer, wish.error());
  gate_.admit(*caller, request.remote_addr,
              [this, visit = Visit{std::move(*wish), Sender(request), caller->heard,
                                   std::move(answer)}](const Or<AdmissionPtr>& admission) mutable {
                if (!admission) return refuse_stream(visit.answer, admission.error());
                admitted(*admission, std::move(visit));
              });
}

// Without a cursor it begins where its client is, or behind the newest message: the store knows.
void EventsHandler::admitted(const AdmissionPtr& admission, Visit visit) {
  Question& question = visit.wish.question;
  if (const auto named = entrance_.name(question, admission); !named) {
    return refuse_stream(visit.answer, named.error());
  }
  if (visit.wish.start == Start::cursor) return enter(std::move(visit));
  // (A std::function wants to be copied.)
  const auto shared = std::make_shared<Visit>(std::move(visit));
  const Store::Parked who{shared->wish.question.user, shared->wish.question.client};
  desk_.store.peek({&who, 1}, false, [this, shared](const Or<Store::Glimpses>& seen) {
    if (!seen) return refuse_stream(shared->answer, seen.error());
    // (None: the read will say what is wrong.)
    const Glimpse glimpse = seen->front().value_or(Glimpse{});
    const bool newest = shared->wish.start == Start::newest;
    shared->wish.question.after = newest ? glimpse.newest : glimpse.cursor;
    enter(std::move(*shared));
  });
}

void EventsHandler::enter(Visit visit) {
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
