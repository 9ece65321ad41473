// SPDX-License-Identifier: MIT
#include "handlers/poll.h"

#include <memory>
#include <string>
#include <utility>

#include "handlers/parameters.h"
#include "handlers/reply.h"
#include "model/seconds.h"

namespace letterbox {

namespace {

class FastcgiReplyTo final : public ReplyTo {
 public:
  explicit FastcgiReplyTo(Answer answer) : answer_(std::move(answer)) {}

  void answer(const Ending& ending) override { answer_.send({200, to_json(ending)}); }
  void refuse(const Error& error) override { answer_.send(to_response(error)); }
  bool when_gone(std::weak_ptr<PeerListener> listener) override {
    return answer_.when_gone(std::move(listener));
  }

 private:
  Answer answer_;
};

}  // namespace

Or<uint64_t> read_timeout(const Query& query, uint64_t default_ms, uint64_t least_ms,
                          uint64_t most_ms) {
  const auto text = query.single("timeout");
  if (!text) return text.error();
  if (!*text) return default_ms;
  const auto ms = parse_seconds_ms(**text);
  if (ms && *ms >= least_ms && *ms <= most_ms) return *ms;
  return Error{Code::bad_timeout,
               "timeout must be a number from " + std::to_string(least_ms / 1000) + " to " +
                   std::to_string(most_ms / 1000) + ", got '" + std::string(**text) + "'"};
}

Or<std::optional<std::string_view>> read_cursor(const Request& request, const Query& query) {
  auto after = query.single("after");
  if (after && !*after && !request.last_event_id.empty()) {
    return std::optional(request.last_event_id);
  }
  return after;
}

void set_cursor(Question& question, std::string_view text) {
  const auto cursor = Cursor::parse(text);
  question.by_cursor = true;
  // "0" is the oldest; no message has an epoch of 0.
  question.foreign = !cursor || (cursor->epoch == 0 && cursor->seq != 0);
  question.after = cursor.value_or(Cursor{});
}

PollHandler::PollHandler(const Gate& gate, const Entrance& entrance, const PollRules& rules)
    : gate_(gate), entrance_(entrance), rules_(rules) {}

Or<Question> PollHandler::read(const Request& request, const Query& query) const {
  auto client = read_client(query);
  if (!client) return client.error();
  const auto timeout = read_timeout(query, rules_.timeout_ms, 0, rules_.timeout_max_ms);
  if (!timeout) return timeout.error();
  const auto limit = read_limit(query);
  if (!limit) return limit.error();
  const auto after = read_cursor(request, query);
  if (!after) return after.error();

  Question question;
  question.client = std::move(*client);
  question.timeout_ms = *timeout;
  question.limit = *limit;
  if (*after) set_cursor(question, **after);
  return question;
}

void PollHandler::poll(const Request& request, const Query& query, Answer answer) const {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse(answer, caller.error());
  auto question = read(request, query);
  if (!question) return refuse(answer, question.error());
  gate_.admit(*caller, request.remote_addr,
              [this, question = std::move(*question), from = Sender(request), heard = caller->heard,
               answer = std::move(answer)](const Or<AdmissionPtr>& admission) mutable {
                if (!admission) return refuse(answer, admission.error());
                enter(*admission, std::move(question), from, heard, std::move(answer));
              });
}

void PollHandler::enter(const AdmissionPtr& admission, Question question, const Sender& from,
                        uint64_t heard, Answer answer) const {
  // One that only looks has not said how often it does.
  const uint64_t pace = question.timeout_ms > 0 ? question.timeout_ms : rules_.timeout_ms;
  if (const auto named = entrance_.name(question, admission); !named) {
    return refuse(answer, named.error());
  }
  entrance_.seen(question.user, question.client, from, pace);
  entrance_.enter(std::move(question), std::make_shared<FastcgiReplyTo>(std::move(answer)), heard);
}

}  // namespace letterbox
