// SPDX-License-Identifier: MIT
#include "handlers/poll.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "handlers/parameters.h"
#include "handlers/reply.h"
#include "model/names.h"
#include "model/seconds.h"

namespace letterbox {

namespace {

class FastcgiReplyTo final : public ReplyTo {
 public:
  explicit FastcgiReplyTo(Answer answer) : answer_(std::move(answer)) {}

  void answer(const std::string& json) override { answer_.send({200, json}); }
  void refuse(const Error& error) override { answer_.send(to_response(error)); }
  bool when_gone(std::weak_ptr<GoneListener> listener) override {
    return answer_.when_gone(std::move(listener));
  }

 private:
  Answer answer_;
};

Or<uint64_t> read_timeout(const Query& query, const PollRules& rules) {
  const auto text = query.single("timeout");
  if (!text) return text.error();
  if (!*text) return rules.timeout_ms;
  const auto ms = parse_seconds_ms(**text);
  if (ms && *ms <= rules.timeout_max_ms) return *ms;
  return Error{Code::bad_timeout, "timeout must be a number from 0 to " +
                                      std::to_string(rules.timeout_max_ms / 1000) + ", got '" +
                                      std::string(**text) + "'"};
}

// `after`, or what a browser sends of its own accord.
Or<std::optional<std::string_view>> read_after(const Request& request, const Query& query) {
  auto after = query.single("after");
  if (after && !*after && !request.last_event_id.empty()) {
    return std::optional(request.last_event_id);
  }
  return after;
}

}  // namespace

PollHandler::PollHandler(Desk& desk, const Gate& gate, Room& room, PresenceBook& presence,
                         const PollRules& rules)
    : desk_(desk), gate_(gate), room_(room), presence_(presence), rules_(rules) {}

Or<Question> PollHandler::read(const Request& request, const Query& query) const {
  auto client = read_client(query);
  if (!client) return client.error();
  const auto timeout = read_timeout(query, rules_);
  if (!timeout) return timeout.error();
  const auto limit = read_limit(query);
  if (!limit) return limit.error();
  const auto after = read_after(request, query);
  if (!after) return after.error();

  Question question;
  question.client = std::move(*client);
  question.timeout_ms = *timeout;
  question.limit = *limit;
  if (*after) {
    const auto cursor = Cursor::parse(**after);
    question.by_cursor = true;
    // "0" is the oldest; no message has an epoch of 0.
    question.foreign = !cursor || (cursor->epoch == 0 && cursor->seq != 0);
    question.after = cursor.value_or(Cursor{});
  }
  return question;
}

void PollHandler::poll(const Request& request, const Query& query, Answer answer) const {
  auto caller = gate_.look(request, query);
  if (!caller) return refuse(answer, caller.error());
  auto question = read(request, query);
  if (!question) return refuse(answer, question.error());
  if (const auto admission = caller->admission) {
    enter(*caller, admission, std::move(*question), {request.remote_addr, request.user_agent},
          std::move(answer));
    return;
  }
  // std::function wants to be copied; the answer can't be.
  struct Visit {
    Gate::Caller caller;
    Question question;
    std::string address;
    std::string agent;
    Answer answer;
  };
  const auto visit = std::make_shared<Visit>(
      Visit{std::move(*caller), std::move(*question), std::string(request.remote_addr),
            std::string(request.user_agent), std::move(answer)});
  gate_.ask(visit->caller, request.remote_addr, [this, visit](const Or<AdmissionPtr>& admission) {
    if (admission) {
      enter(visit->caller, *admission, std::move(visit->question), {visit->address, visit->agent},
            std::move(visit->answer));
    } else {
      visit->answer.send(to_response(admission.error()));
    }
  });
}

void PollHandler::enter(const Gate::Caller& caller, const AdmissionPtr& admission,
                        Question question, const Sender& from, Answer answer) const {
  auto client = client_of(*admission, question.client);
  if (!client) return refuse(answer, client.error());
  question.client = std::move(*client);
  question.user = admission->claim.user;
  question.admission = admission;
  const uint64_t now = desk_.loop.clock().wall_ms();
  // One that only looks has not said how often it does.
  const uint64_t pace = question.timeout_ms > 0 ? question.timeout_ms : rules_.timeout_ms;
  const uint64_t online_until = now + online_ms(pace);
  if (admission->expires_ms != 0) {
    const uint64_t left = admission->expires_ms - std::min(now, admission->expires_ms);
    question.outlives_admission = question.timeout_ms > left;
    question.timeout_ms = std::min(question.timeout_ms, left);
  }
  presence_.seen(question.user, question.client, from.address, from.agent, online_until);
  room_.enter(desk_, std::move(question), std::make_unique<FastcgiReplyTo>(std::move(answer)));
  gate_.entered(caller, admission->claim.user);
}

}  // namespace letterbox
