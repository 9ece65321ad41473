// SPDX-License-Identifier: MIT
#include "waiting/room.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "waiting/room_parts.h"

namespace letterbox {

namespace {

// A client that comes back within this time for what it has just been given is in a loop, or has
// lost an answer: as often as this it is believed, then it is held back, ever longer.
constexpr uint64_t kLoopMs = 1000;
constexpr unsigned kRepeatsBelieved = 3;
constexpr uint64_t kHoldFirstMs = 125;
constexpr uint64_t kHoldMostMs = 1000;

}  // namespace

void Poll::gone() { room.leave(shared_from_this()); }

Room::Room(const Clock& clock, Bells& bells, std::function<void()> wake, const RoomLimits& limits)
    : clock_(clock), bells_(bells), wake_(std::move(wake)), limits_(limits) {}

void Room::enter(Desk& desk, Question question, std::unique_ptr<Caller> caller) {
  const auto poll = std::make_shared<Poll>(*this, desk, std::move(question), std::move(caller));
  const Question& asked = poll->question;
  poll->cursor = asked.after;
  poll->deadline_ms = clock_.steady_ms() + asked.timeout_ms;
  // Before others can see the poll, and answer it. Its going can't be told before this returns:
  // both are this thread's.
  const bool here = poll->caller->when_gone(poll);
  Answers todo;
  bool wake = false;
  {
    Lock lock(mutex_);
    ++inside_;
    Mailbox& mailbox = mailbox_of(asked.user);
    if (Client* client = client_of(mailbox, asked, todo)) {
      come_in(mailbox, *client, poll, todo);
    } else {
      turn_away(poll, too_many_clients(), todo);
    }
    wake = sooner();
  }
  carry_out(desk, todo);
  if (wake) wake_();
  if (!here) leave(poll);
}

void Room::come_in(Mailbox& mailbox, Client& client, const PollPtr& poll, Answers& todo) {
  const Question& asked = poll->question;
  const uint64_t hold = hold_ms(client, asked);
  // One after the other they are held back for as long as the first of them, or none would ever be
  // read for.
  const bool slowed = client.poll && client.poll->state == Poll::State::slowed;
  place_of(client, nullptr);
  if (const PollPtr older = std::exchange(client.poll, poll)) supersede(older, todo);
  take_place(*poll);
  client.cursor = asked.after;
  client.by_cursor = asked.by_cursor && !asked.foreign;
  const bool heard = !mailbox.watched || bells_.hears(*mailbox.watched);
  const bool up_to_date = client.by_cursor && mailbox.current && heard &&
                          asked.after == mailbox.known && poll->has_place;
  if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (up_to_date) {
    park(mailbox, poll);
    note_return(client, todo);
  } else if (hold > 0) {
    poll->state = Poll::State::slowed;
    if (!slowed) client.held_until_ms = clock_.steady_ms() + hold;
    slowed_.emplace(client.held_until_ms, poll);
  } else {
    todo.reads.push_back(poll);
  }
}

// Who comes in while all places are taken is answered what is there, and turned away otherwise.
void Room::take_place(Poll& poll) {
  poll.has_place = poll.question.timeout_ms > 0 && places_taken_ < limits_.parked;
  if (poll.has_place) ++places_taken_;
}

// Nothing is kept warm for who is refused, so a crowd that can't come in takes no memory; nor is
// there anything to note: its read said neither that it parks nor that it watches.
void Room::turn_away(const PollPtr& poll, Error error, Answers& todo) {
  Client* client = current_client(poll);
  finish(poll, Reason::error);
  todo.refusals.emplace_back(poll, std::move(error));
  if (client != nullptr) forget(*client);
}

// How long a client is held back that asks again for what it has just been given, or is about to
// be.
uint64_t Room::hold_ms(Client& client, const Question& asked) const {
  const bool same =
      asked.by_cursor && asked.after == client.cursor && asked.foreign == !client.by_cursor;
  if (!same) client.given_ms.reset();
  const bool soon = same && client.given_ms && clock_.steady_ms() < *client.given_ms + kLoopMs;
  const bool under_way = same && client.poll && client.poll->state != Poll::State::parked;
  client.repeats = soon || under_way ? client.repeats + 1 : 0;
  if (client.repeats <= kRepeatsBelieved) return 0;
  const unsigned doublings = std::min(client.repeats - kRepeatsBelieved - 1, 3U);
  return std::min(kHoldFirstMs << doublings, kHoldMostMs);
}

void Room::supersede(const PollPtr& older, Answers& todo) {
  const bool fighting = older->was_parked && clock_.steady_ms() < older->parked_ms + kFightMs;
  if (older->state == Poll::State::reading) {
    older->superseded = true;
  } else if (older->state == Poll::State::parked && fighting) {
    unpark(older);
    older->state = Poll::State::late;
    late_.emplace(older->parked_ms + kFightMs, older);
  } else if (older->state == Poll::State::slowed || older->state == Poll::State::queued) {
    unpark(older);
    older->state = Poll::State::late;
    late_.emplace(clock_.steady_ms() + kFightMs, older);
  } else if (older->state == Poll::State::parked) {
    end(older, {.reason = Reason::superseded}, todo);
  }
}

void Room::park(Mailbox& mailbox, const PollPtr& poll) {
  poll->state = Poll::State::parked;
  if (!poll->was_parked) poll->parked_ms = clock_.steady_ms();
  poll->was_parked = true;
  poll->deadline = deadlines_.emplace(poll->deadline_ms, poll);
  if (!mailbox.watched) mailbox.watched = bells_.watch(mailbox.user);
}

// Wherever it waits, it waits there no longer.
void Room::unpark(const PollPtr& poll) {
  if (poll->state == Poll::State::parked) deadlines_.erase(poll->deadline);
  if (poll->state == Poll::State::queued) turns_.step_out(*poll);
}

// --- clients -------------------------------------------------------------------------------------

Room::Mailbox* Room::known(std::string_view user) const {
  const auto found = mailboxes_.find(user);
  return found != mailboxes_.end() ? found->second.get() : nullptr;
}

Room::Mailbox& Room::mailbox_of(std::string_view user) {
  if (Mailbox* mailbox = known(user)) return *mailbox;
  auto& mailbox = mailboxes_[std::string(user)] = std::make_unique<Mailbox>();
  mailbox->user = user;
  most_mailboxes_ = std::max(most_mailboxes_, mailboxes_.size());
  return *mailbox;
}

// A client more than there may be takes the place of the one that has been without a poll for
// longest; nothing where each has one.
Room::Client* Room::client_of(Mailbox& mailbox, const Question& question, Answers& todo) {
  auto& clients = mailbox.clients;
  const auto found = std::find_if(clients.begin(), clients.end(),
                                  [&](const Client& c) { return c.name == question.client; });
  if (found != clients.end()) return &*found;
  Client* leaves = nullptr;
  if (clients.size() >= limits_.clients) {
    for (Client& client : clients) {
      const bool longer = leaves == nullptr || client.since_ms < leaves->since_ms;
      if (!client.poll && longer) leaves = &client;
    }
    if (leaves == nullptr) return nullptr;
  }
  Client& client = clients.emplace_back();
  client.name = question.client;
  client.mailbox = &mailbox;
  if (leaves != nullptr) {
    if (leaves->list == &lapsing_) todo.notes.push_back(note_of(*leaves));
    forget(*leaves);
  }
  return &client;
}

Room::Client* Room::current_client(const PollPtr& poll) {
  Mailbox* mailbox = known(poll->question.user);
  if (mailbox == nullptr) return nullptr;
  auto& clients = mailbox->clients;
  const auto client =
      std::find_if(clients.begin(), clients.end(), [&](const Client& c) { return c.poll == poll; });
  return client != clients.end() ? &*client : nullptr;
}

void Room::place_of(Client& client, Line* list) {
  if (client.list != nullptr) client.list->erase(client.place);
  client.list = list;
  if (list != nullptr) client.place = list->insert(list->end(), &client);
}

void Room::forget(Client& client) {
  place_of(client, nullptr);
  settle(client, 0);
  Mailbox& mailbox = *client.mailbox;
  mailbox.clients.remove_if([&](const Client& c) { return &c == &client; });
  if (!mailbox.clients.empty()) return;
  if (mailbox.watched) bells_.unwatch(*mailbox.watched, mailbox.user);
  mailboxes_.erase(mailboxes_.find(mailbox.user));
}

bool Room::anybody_waits(const Mailbox& mailbox) {
  return std::any_of(mailbox.clients.begin(), mailbox.clients.end(),
                     [](const Client& client) { return client.poll != nullptr; });
}

// --- who is here ---------------------------------------------------------------------------------

std::vector<std::shared_ptr<const Admission>> Room::admissions(std::string_view user) const {
  std::vector<std::shared_ptr<const Admission>> all;
  {
    Lock lock(mutex_);
    const Mailbox* mailbox = known(user);
    if (mailbox == nullptr) return all;
    for (const Client& client : mailbox->clients) {
      if (client.poll) all.push_back(client.poll->question.admission);
    }
  }
  // Keys are texts: they are made once a client, while nobody waits for the mutex.
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
  return deadlines_.size() + late_.size();
}

size_t Room::mailboxes() const {
  Lock lock(mutex_);
  return mailboxes_.size();
}

Room::Crowd Room::take_crowd() {
  Lock lock(mutex_);
  const size_t now = mailboxes_.size();
  return {now, std::exchange(most_mailboxes_, now)};
}

}  // namespace letterbox
