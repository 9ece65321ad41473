// SPDX-License-Identifier: MIT
//
// The way into the waiting room for a poll or stream that the gate has admitted. The entrance says
// whose poll or stream it is, limits how long it may stay, and notes that its user is there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "mailbox/presence_book.h"
#include "requests/gate.h"
#include "waiting/room.h"

namespace letterbox {

// Where a request came from, as nginx says.
struct Sender {
  explicit Sender(const Request& request)
      : address(request.remote_addr), agent(request.user_agent) {}
  std::string address;
  std::string agent;
};

// Where a poll or stream begins to read.
enum class Start {
  given,   // where its question says
  kept,    // where the store has its client
  newest,  // after the newest message
};

// A request for messages on its way in. Its Wish has a `question`, without the user, and a `start`.
template <class Wish>
struct Visit {
  Wish wish;
  Sender from;
  uint64_t heard;  // Gate::Caller::heard
  Answer answer;
};

class Entrance {
 public:
  // One a worker. All arguments are that worker's.
  Entrance(Desk& desk, const Gate& gate, Room& room, PresenceBook& presence)
      : desk_(desk), gate_(gate), room_(room), presence_(presence) {}

  // Writes the user, the client and the admission into a question. If the admission expires before
  // the question's timeout, the timeout becomes shorter. By a sliding token it is at most half of
  // the token's life: the client comes back while the token is good, and prolongs it. Error:
  // other_client.
  Or<void> name(Question& question, const AdmissionPtr& admission) const;
  // Brings a visit through the gate to `enter`, named and with its cursor. `refuse` answers errors:
  // those of the gate, of name(), and of the store.
  template <class Wish, class Enter>
  void admit(const Gate::Caller& caller, std::string_view address, Visit<Wish> visit,
             void (*refuse)(Answer&, const Error&), Enter enter) const;
  // A user's client is there, and comes again after at most `pace_ms`.
  void seen(const std::string& user, const std::string& client, const Sender& from,
            uint64_t pace_ms) const;
  // REQUIRES: name() was called for the question. `heard` is as for Gate::entered().
  void enter(Question question, std::shared_ptr<ReplyTo> reply_to, uint64_t heard) const;

 private:
  // Finds the cursor of a question whose start is not given. `question` keeps its names until
  // `then` hears. REQUIRES: name() was called for it.
  void find(const Question& question, Start start, Store::Then<Cursor> then) const;

  Desk& desk_;
  const Gate& gate_;
  Room& room_;
  PresenceBook& presence_;
};

template <class Wish, class Enter>
void Entrance::admit(const Gate::Caller& caller, std::string_view address, Visit<Wish> visit,
                     void (*refuse)(Answer&, const Error&), Enter enter) const {
  gate_.admit(
      caller, address,
      [this, visit = std::move(visit), refuse, enter](const Or<AdmissionPtr>& admission) mutable {
        if (!admission) return refuse(visit.answer, admission.error());
        const auto named = name(visit.wish.question, *admission);
        if (!named) return refuse(visit.answer, named.error());
        if (visit.wish.start == Start::given) return enter(std::move(visit));
        const auto shared = std::make_shared<Visit<Wish>>(std::move(visit));
        find(shared->wish.question, shared->wish.start,
             [shared, refuse, enter](const Or<Cursor>& found) {
               if (!found) return refuse(shared->answer, found.error());
               shared->wish.question.after = *found;
               enter(std::move(*shared));
             });
      });
}

}  // namespace letterbox
