// SPDX-License-Identifier: MIT
#include "handlers/poll.h"

#include <memory>
#include <string>
#include <utility>

#include "model/seconds.h"
#include "requests/parameters.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

constexpr std::string_view kNewest = "now";

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

void set_cursor(Question& question, std::string_view text) {
  const auto cursor = Cursor::parse(text);
  question.by_cursor = true;
  // "0" reads from the oldest message on. No message has an epoch of 0.
  question.foreign = !cursor || (cursor->epoch == 0 && cursor->seq != 0);
  question.after = cursor.value_or(Cursor{});
}

Start set_start(Question& question, std::string_view after) {
  if (after != kNewest) {
    set_cursor(question, after);
    return Start::given;
  }
  question.by_cursor = true;
  return Start::newest;
}

PollHandler::PollHandler(const Gate& gate, const Entrance& entrance, const PollRules& rules)
    : gate_(gate), entrance_(entrance), rules_(rules) {}

Or<PollHandler::Wish> PollHandler::read(const Request& request, const Query& query) const {
  auto client = read_client(query);
  if (!client) return client.error();
  const auto timeout = read_timeout(query, rules_.timeout_ms, 0, rules_.timeout_max_ms);
  if (!timeout) return timeout.error();
  const auto limit = read_limit(query);
  if (!limit) return limit.error();
  const auto after = query.single("after");
  if (!after) return after.error();

  Wish wish;
  Question& question = wish.question;
  question.client = std::move(*client);
  question.timeout_ms = *timeout;
  question.limit = *limit;
  if (*after) {
    wish.start = set_start(question, **after);
  } else if (!request.last_event_id.empty()) {
    set_cursor(question, request.last_event_id);  // (a browser sends it by itself)
  }
  return wish;
}

void PollHandler::poll(const Request& request, const Query& query, Answer answer) const {
  const auto caller = gate_.look(request, query);
  if (!caller) return refuse(answer, caller.error());
  auto wish = read(request, query);
  if (!wish) return refuse(answer, wish.error());
  entrance_.admit(*caller, request.remote_addr,
                  Visit<Wish>{std::move(*wish), Sender(request), caller->heard, std::move(answer)},
                  refuse, [this](Visit<Wish> visit) { enter(std::move(visit)); });
}

void PollHandler::enter(Visit<Wish> visit) const {
  Question& question = visit.wish.question;
  // A poll with timeout=0 only looks. It does not say how often it comes.
  const uint64_t pace = question.timeout_ms > 0 ? question.timeout_ms : rules_.timeout_ms;
  entrance_.seen(question.user, question.client, visit.from, pace);
  entrance_.enter(std::move(question), std::make_shared<FastcgiReplyTo>(std::move(visit.answer)),
                  visit.heard);
}

}  // namespace letterbox
