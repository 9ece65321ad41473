// SPDX-License-Identifier: MIT
#include "waiting/room.h"

#include <algorithm>
#include <cassert>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "base/random.h"
#include "base/rare.h"

namespace letterbox {

namespace {

// Where a poll stands in the schedule while it is in a state; none: nowhere.
std::optional<Schedule::Kind> kind_of(Poll::State state) {
  switch (state) {
    case Poll::State::queued:
      return Schedule::Kind::turn;
    case Poll::State::parked:
    case Poll::State::sending:
      return Schedule::Kind::deadline;
    case Poll::State::late:
      return Schedule::Kind::late;
    case Poll::State::slowed:
      return Schedule::Kind::slowed;
    case Poll::State::reading:
    case Poll::State::ended:
      break;
  }
  return std::nullopt;
}

// After how many ms the client should come back. Spread, so that clients that were answered
// together do not return together.
uint64_t pause_ms(const Poll& poll, Reason reason, size_t crowd) {
  switch (reason) {
    case Reason::timeout:
      // (The next messages wait for a busy stream's client.)
      if (poll.outbox.messages >= kStreamMessages) return 0;
      return poll.question.timeout_ms > 0 ? 1 + random_below(250) : 0;
    case Reason::superseded:
      // (A browser reopens its stream by itself, even if a newer stream of the client took its
      // place.)
      return poll.question.stream || poll.state() == Poll::State::late
                 ? kFightMs + random_below(kFightMs)
                 : 0;
    case Reason::slow:
      return kFightMs + random_below(kFightMs);
    case Reason::shutdown:
      return 100 + random_below(200 + std::min<size_t>(crowd, 20'000) / 2);
    default:
      return 0;
  }
}

}  // namespace

Room::Room(const Clock& clock, Bells& bells, std::function<void()> wake, const RoomLimits& limits)
    : clock_(clock), bells_(bells), wake_(std::move(wake)), limits_(limits) {}

Error Room::overloaded(std::string message) {
  return {Code::overloaded, std::move(message), static_cast<int>(5000 + random_below(10'000))};
}

Error Room::too_many_reads() {
  return overloaded("more reads are waiting than this server takes on");
}

// --- how polls enter -----------------------------------------------------------------------------

void Room::enter(Desk& desk, Question question, std::shared_ptr<ReplyTo> reply_to) {
  const auto poll = std::make_shared<Poll>(*this, desk, std::move(question), std::move(reply_to));
  poll->cursor = poll->question.after;
  poll->deadline_ms = clock_.steady_ms() + poll->question.timeout_ms;
  // This comes before other threads can see the poll and answer it. gone() can't be called before
  // enter() returns: both run on this thread.
  const bool here = poll->reply_to->when_gone(poll);
  Effects todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    ++inside_;
    if (poll->question.stream) ++streams_;
    if (Client* client = client_of(poll->question, todo)) {
      come_in(*client, poll, todo);
    } else {
      turn_away(poll, too_many_clients(), todo);
    }
    wake = sooner();
  }
  carry_out(desk, todo);
  if (wake) wake_();
  if (!here) leave(poll);
}

void Room::come_in(Client& client, const PollPtr& poll, Effects& todo) {
  const Question& asked = poll->question;
  const uint64_t now = clock_.steady_ms();
  const uint64_t hold = client.hold_ms(asked, now);
  // A poll that supersedes a slowed one is held back only until the same time. Otherwise none of
  // them would ever read.
  const bool slowed = client.poll && client.poll->state() == Poll::State::slowed;
  schedule_.remove(client.away);
  if (const PollPtr older = std::exchange(client.poll, poll)) supersede(older, todo);
  client.cursor = asked.after;
  client.by_cursor = asked.by_cursor && !asked.foreign;
  // A poll that enters while all places are taken is given the messages that are there, and is
  // turned away if there are none.
  poll->may_park = asked.timeout_ms > 0 && places_taken_ < limits_.parked;
  if (poll->may_park) ++places_taken_;

  Mailbox& mailbox = client.mailbox;
  const bool up_to_date = client.by_cursor && has_everything(mailbox, asked.after);
  if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (up_to_date && poll->may_park) {
    park(mailbox, poll, todo);
    note_return(client, todo);
  } else if (hold > 0) {
    rare<"a client asks again and again for what it was given">();
    if (!slowed) client.held_until_ms = now + hold;
    move(poll, Poll::State::slowed, client.held_until_ms);
  } else {
    todo.reads.push_back(poll);
  }
}

Mailbox& Room::mailbox_of(std::string_view user) {
  if (Mailbox* mailbox = find(user)) return *mailbox;
  auto& mailbox = mailboxes_[std::string(user)] = std::make_unique<Mailbox>(user);
  if (closing_) mailbox->close();
  most_mailboxes_ = std::max(most_mailboxes_, mailboxes_.size());
  return *mailbox;
}

// Whether a client at this cursor needs no read. (While no lane hears the mailbox's list, it does.)
bool Room::has_everything(const Mailbox& mailbox, const Cursor& at) const {
  const bool heard = !mailbox.watched || bells_.hears(*mailbox.watched);
  return heard && mailbox.is_up_to_date(at);
}

// If the user has as many clients as are allowed, a new one takes the place of the client that has
// been without a poll for longest. Null: each client has a poll.
Client* Room::client_of(const Question& question, Effects& todo) {
  Mailbox& mailbox = mailbox_of(question.user);
  if (Client* client = mailbox.find(question.client)) return client;
  const bool full = mailbox.clients().size() >= limits_.clients;
  Client* leaves = full ? mailbox.longest_away() : nullptr;
  if (full && leaves == nullptr) {
    rare<"all clients of a user are polling, and another one comes">();
    return nullptr;
  }
  Client& client = mailbox.clients().emplace_back(mailbox, question.client);
  if (leaves != nullptr) {
    rare<"a client takes the place of another">();
    // (One that rests was noted as away when it lapsed.)
    assert(!leaves->poll && leaves->away);
    const bool noted = (*leaves->away)->second.kind == Schedule::Kind::rest;
    if (!noted) note(*leaves, todo);
    forget(*leaves);
  }
  return &client;
}

void Room::supersede(const PollPtr& older, Effects& todo) {
  const bool fighting = older->was_parked && clock_.steady_ms() < older->parked_ms + kFightMs;
  switch (older->state()) {
    case Poll::State::reading:
      rare<"a poll is superseded while it reads">();
      older->superseded = true;
      break;
    case Poll::State::parked:
      if (fighting) {
        rare<"two programs fight over a client">();
        move(older, Poll::State::late, older->parked_ms + kFightMs);
      } else {
        end(older, {.reason = Reason::superseded}, todo);
      }
      break;
    case Poll::State::slowed:
    case Poll::State::queued:
      move(older, Poll::State::late, clock_.steady_ms() + kFightMs);
      break;
    case Poll::State::sending:
      end(older, {.reason = Reason::superseded}, todo);
      break;
    case Poll::State::late:
    case Poll::State::ended:
      break;
  }
}

// --- what a ring does ----------------------------------------------------------------------------

void Room::rung(Desk& desk, std::string_view user, const Ring& ring) {
  assert(ring.kind != Ring::Kind::raw);
  const Message message{ring.id, ring.element.body};
  Effects todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    // No client waits here any more. The message stays in the list, for the next poll.
    Mailbox* mailbox = find(user);
    if (mailbox == nullptr) return;
    mailbox->rang(ring);
    for (Client& client : mailbox->clients()) ring_client(client, ring, message, todo);
    wake = sooner();
  }
  carry_out(desk, todo);
  if (wake) wake_();
}

void Room::ring_client(Client& client, const Ring& ring, const Message& message, Effects& todo) {
  const PollPtr poll = client.poll;
  if (!poll || poll->state() != Poll::State::parked) return;
  const Cursor at = poll->cursor;
  const bool carried = ring.kind == Ring::Kind::message && poll->question.by_cursor;
  const bool same_epoch = carried && (at.epoch == ring.id.epoch || at == Cursor{});
  const uint64_t expires = ring.element.expires;
  if (same_epoch && ring.id.seq <= at.seq) return;  // the client has that message
  const bool next = same_epoch && ring.id.seq == at.seq + 1;
  if (!next || (expires != 0 && expires <= clock_.wall_ms())) return read_again(poll, todo);
  assert(at < ring.id);
  if (poll->question.stream) {
    give(poll, {.messages = {&message, 1}, .cursor = ring.id}, todo);
    return;
  }
  poll->cursor = ring.id;
  client.given(message.body.size());
  end(poll, {.reason = Reason::messages, .given = {.messages = {&message, 1}}}, todo);
}

// --- what is due ---------------------------------------------------------------------------------

std::optional<uint64_t> Room::tick(Desk& desk) {
  Effects todo;
  std::optional<uint64_t> next;
  {
    Lock lock(mutex_);
    const Instant now(clock_);
    while (const auto* due = schedule_.due(now.steady_ms)) {
      come_due(Schedule::Entry(*due), now, todo);
    }
    // (At most as many clients rest as polls may be parked.)
    while (schedule_.count(Schedule::Kind::rest) > limits_.parked) {
      rare<"more clients rest than polls may wait">();
      forget(*schedule_.first(Schedule::Kind::rest)->client);
    }
    next = next_tick_ = schedule_.next_due();
  }
  carry_out(desk, todo);
  return next;
}

// In every case the entry that was due is removed from the schedule.
void Room::come_due(const Schedule::Entry& due, const Instant& now, Effects& todo) {
  const auto& [kind, poll, client] = due;
  switch (kind) {
    case Schedule::Kind::deadline:
      return end(poll, {.reason = out_of_time(*poll)}, todo);
    case Schedule::Kind::turn:
      if (closing_) return end(poll, {.reason = Reason::shutdown}, todo);
      if (poll->was_parked) return end(poll, {.reason = out_of_time(*poll)}, todo);
      return turn_away(poll, too_many_reads(), todo);
    case Schedule::Kind::late:
      return end(poll, {.reason = Reason::superseded}, todo);
    case Schedule::Kind::slowed:
      return read_again(poll, todo);
    case Schedule::Kind::debt:
      schedule_.remove(client->due);
      // (A client between two polls is noted when it comes back, or lapses.)
      if (client->poll && client->poll->state() == Poll::State::parked) {
        todo.debts[&client->poll->desk].push_back(client->poll);
      }
      return;
    case Schedule::Kind::lapse:
      assert(!client->poll && client->away);
      schedule_.remove(client->due);
      todo.notes.push_back(client->mailbox.lapse(*client, now));
      schedule_.remove(client->away);
      return schedule_.add(client->away, client->since_ms + kWarmMs, Schedule::Kind::rest, *client);
    case Schedule::Kind::rest:
      return forget(*client);
  }
}

void Room::close(Desk& desk) {
  Effects todo;
  {
    Lock lock(mutex_);
    closing_ = true;
    for (const auto& [user, mailbox] : mailboxes_) mailbox->close();
    using Kind = Schedule::Kind;
    for (const Kind kind : {Kind::late, Kind::slowed, Kind::turn, Kind::deadline}) {
      while (const auto* entry = schedule_.first(kind)) {
        const PollPtr poll = entry->poll;
        Client* client = kind == Kind::deadline ? find(poll) : nullptr;
        end(poll, {.reason = Reason::shutdown}, todo);
        if (client != nullptr) note(*client, todo);
      }
    }
  }
  carry_out(desk, todo);
}

// Whether something is due sooner than tick() is to be called next.
bool Room::sooner() {
  const auto next = schedule_.next_due();
  if (!next || (next_tick_ && *next_tick_ <= *next)) return false;
  next_tick_ = next;
  return true;
}

// --- how clients leave ---------------------------------------------------------------------------

void Room::leave(const PollPtr& poll) {
  Effects todo;
  {
    Lock lock(mutex_);
    if (poll->state() == Poll::State::ended) return;
    Client* client = find(poll);
    finish(poll, Reason::gone);
    if (client != nullptr) dismiss(*client, todo);
  }
  carry_out(poll->desk, todo);
}

void Room::kick(Desk& desk, std::string_view user, std::string_view key) {
  Effects todo;
  {
    Lock lock(mutex_);
    const Mailbox* mailbox = find(user);
    if (mailbox == nullptr) return;
    std::vector<PollPtr> out;
    for (const Client& client : mailbox->clients()) {
      if (!client.poll || !client.poll->question.admission) continue;
      if (client.poll->question.admission->claim.key() == key) out.push_back(client.poll);
    }
    for (const PollPtr& poll : out) {
      Client* client = find(poll);
      end(poll, {.reason = Reason::kicked}, todo);
      dismiss(*client, todo);
    }
  }
  carry_out(desk, todo);
}

// The client will not be back soon, so nothing is kept warm for it.
void Room::dismiss(Client& client, Effects& todo) {
  assert(!client.poll);
  client.since_ms = 0;
  note(client, todo);
  forget(client);
}

void Room::note(Client& client, Effects& todo) {
  schedule_.remove(client.due);
  todo.notes.push_back(client.mailbox.note_of(client, Instant(clock_)));
}

void Room::acknowledge(Client& client, const Instant& now, Effects& todo) {
  schedule_.remove(client.due);
  todo.notes.push_back(client.mailbox.acknowledgement_of(client, now));
}

void Room::forget(Client& client) {
  assert(!client.poll);
  schedule_.remove(client.away);
  schedule_.remove(client.due);
  Mailbox& mailbox = client.mailbox;
  mailbox.clients().remove_if([&](const Client& c) { return &c == &client; });
  if (!mailbox.clients().empty()) return;
  if (mailbox.watched) bells_.unwatch(*mailbox.watched, mailbox.user());
  mailboxes_.erase(mailboxes_.find(mailbox.user()));
}

// --- what becomes of a poll ----------------------------------------------------------------------

void Room::park(Mailbox& mailbox, const PollPtr& poll, Effects& todo) {
  assert(poll->may_park && mailbox.user() == poll->question.user);
  if (!poll->was_parked) poll->parked_ms = clock_.steady_ms();
  poll->was_parked = true;
  if (poll->question.stream && !poll->outbox.opened) give(poll, {.cursor = poll->cursor}, todo);
  move(poll, Poll::State::parked, poll->deadline_ms);
  if (!mailbox.watched) mailbox.watched = bells_.watch(mailbox.user());
}

void Room::read_again(const PollPtr& poll, Effects& todo) {
  todo.reads.push_back(poll);
  if (poll->state() != Poll::State::reading) move(poll, Poll::State::reading);
}

Reason Room::out_of_time(const Poll& poll) {
  return poll.question.outlives_admission ? Reason::kicked : Reason::timeout;
}

// A stream has been given its messages before it ends.
void Room::end(const PollPtr& poll, Ending ending, Effects& todo) {
  assert(!poll->question.stream || ending.given.messages.empty());
  ending.retry_after_ms = pause_ms(*poll, ending.reason, inside_);
  ending.given.cursor = poll->cursor;
  if (!poll->question.stream) {
    ending.given.missed = poll->missed;
    ending.given.collapsed = poll->collapsed;
    ending.given.reset = poll->reset;
    count(ending.given);
  }
  if (!poll->outbox.leave(ending)) todo.endings.emplace_back(poll, ending);
  finish(poll, ending.reason);
}

void Room::count(const Portion& given) {
  delivered_.messages.add(given.messages.size());
  for (const auto& message : given.messages) delivered_.bytes.add(message.body.size());
  delivered_.missed.add(given.missed);
  delivered_.collapsed.add(given.collapsed);
}

void Room::refuse(const PollPtr& poll, const Error& error, Effects& todo) {
  if (!poll->outbox.leave(error)) todo.refusals.emplace_back(poll, error);
  finish(poll, Reason::error);
}

// Nothing is kept warm for a client that is refused, so a crowd that can't come in takes no memory.
// Nor is there anything to note: its read said neither that it parks nor that it watches.
void Room::turn_away(const PollPtr& poll, const Error& error, Effects& todo) {
  Client* client = find(poll);
  refuse(poll, error, todo);
  if (client != nullptr) forget(*client);
}

// The one exit: every poll passes here once, however it ends.
void Room::finish(const PollPtr& poll, Reason reason) {
  move(poll, Poll::State::ended);
  assert(inside_ > 0);
  assert(!poll->question.stream || streams_ > 0);
  assert(!poll->may_park || places_taken_ > 0);
  --inside_;
  if (poll->question.stream) --streams_;
  if (poll->may_park) --places_taken_;
  ++ended_.at(static_cast<size_t>(reason));
  Client* client = find(poll);
  if (client == nullptr) return;
  client->leaves(reason == Reason::messages, clock_.steady_ms());
  schedule_.add(client->away, client->since_ms + kLapseMs, Schedule::Kind::lapse, *client);
}

// Every transition of a poll, and its place in the schedule.
void Room::move(const PollPtr& poll, Poll::State to, uint64_t due_ms) {
  assert(poll->place.has_value() == kind_of(poll->state()).has_value());
  const bool steps_out = poll->state() == Poll::State::queued && to != Poll::State::reading;
  if (steps_out) turns_.step_out(*poll);  // (else next() has taken it out)
  schedule_.remove(poll->place);
  poll->become(to);
  if (to == Poll::State::queued) turns_.line_up(poll);
  if (const auto kind = kind_of(to)) schedule_.add(poll->place, due_ms, *kind, poll);
  assert(poll->place.has_value() == kind_of(poll->state()).has_value());
}

// --- outside of the mutex ------------------------------------------------------------------------

void Room::carry_out(Desk& desk, const Effects& todo) {
  todo.answer();
  for (const auto& [poll, portion] : todo.portions) write(desk, poll, portion);
  // A client that has gone is noted before other polls read: that may make room for one more
  // client.
  for (const auto& note : todo.notes) write_note(desk, note);
  for (const auto& [at, polls] : todo.debts) {
    if (at == &desk) {
      write_debts(desk, polls);
    } else {
      at->loop.post([this, at = at, polls = polls] { write_debts(*at, polls); });
    }
  }
  for (const auto& poll : todo.reads) read(desk, poll);
}

// --- which polls are here ------------------------------------------------------------------------

Mailbox* Room::find(std::string_view user) const {
  const auto found = mailboxes_.find(user);
  return found != mailboxes_.end() ? found->second.get() : nullptr;
}

// The client whose poll this is. Null: a newer poll has taken its place, or the client has gone.
Client* Room::find(const PollPtr& poll) const {
  Mailbox* mailbox = find(poll->question.user);
  return mailbox != nullptr ? mailbox->find(*poll) : nullptr;
}

std::vector<std::shared_ptr<const Admission>> Room::admissions(std::string_view user) const {
  std::vector<std::shared_ptr<const Admission>> all;
  {
    Lock lock(mutex_);
    const Mailbox* mailbox = find(user);
    if (mailbox == nullptr) return all;
    for (const Client& client : mailbox->clients()) {
      if (client.poll) all.push_back(client.poll->question.admission);
    }
  }
  // Keys are strings, so they are made once a client, and after the mutex is released.
  std::unordered_set<std::string> keys;
  std::erase_if(all, [&](const auto& admission) {
    return !admission || !keys.insert(admission->claim.key()).second;
  });
  return all;
}

std::vector<std::string> Room::users() const {
  std::vector<std::string> users;
  Lock lock(mutex_);
  users.reserve(mailboxes_.size());
  for (const auto& [user, mailbox] : mailboxes_) users.push_back(user);
  return users;
}

size_t Room::size() const {
  Lock lock(mutex_);
  return inside_;
}

size_t Room::parked() const {
  Lock lock(mutex_);
  return schedule_.count(Schedule::Kind::deadline) + schedule_.count(Schedule::Kind::late);
}

size_t Room::streams() const {
  Lock lock(mutex_);
  return streams_;
}

size_t Room::waiting_reads() const {
  Lock lock(mutex_);
  return turns_.waiting();
}

size_t Room::reads_under_way() const {
  Lock lock(mutex_);
  return turns_.under_way();
}

size_t Room::mailboxes() const {
  Lock lock(mutex_);
  return mailboxes_.size();
}

Room::Crowd Room::take_crowd() {
  Lock lock(mutex_);
  const size_t now = mailboxes_.size();

  assert(most_mailboxes_ >= now);
  return {now, std::exchange(most_mailboxes_, now)};
}

}  // namespace letterbox
