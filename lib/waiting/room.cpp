// SPDX-License-Identifier: MIT
#include "waiting/room.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace letterbox {

namespace {

// How long a client may be between two polls before it is noted as away: it is usually back sooner,
// and its note rides along with its acknowledgement.
// (The longest round trip that a page is likely to have, and the pause after a timeout.)
constexpr uint64_t kLapseMs = 500;
// How long a mailbox is listened to after its last poll was answered, so that the next one finds
// its place warm.
constexpr uint64_t kWarmMs = 5000;
// A poll superseded sooner than this after it was parked is answered only then: two programs that
// fight over one client name take turns once a second instead of thousands of times.
constexpr uint64_t kFightMs = 1000;
// A client that comes back within this time for what it has just been given is in a loop, or has
// lost an answer: as often as this it is believed, then it is held back, ever longer.
constexpr uint64_t kLoopMs = 1000;
constexpr unsigned kRepeatsBelieved = 3;
constexpr uint64_t kHoldFirstMs = 125;
constexpr uint64_t kHoldMostMs = 1000;
// Notes of who watches until when run out this much later than the watching does.
constexpr uint64_t kNoteMarginMs = 1000;
// And so much later while a poll waits: so that its successors need not renew them each time.
constexpr uint64_t kNoteAheadMs = 60'000;
// What a client has acknowledged is dropped with its mailbox's next push or note. One that got more
// bytes than this is noted at once.
constexpr size_t kDropAtOnceBytes = 1024;
constexpr uint64_t kRereadMs = 300;
// How soon and for how long a bell that was meant for another program is handed on.
constexpr uint64_t kPassOnFirstMs = 5;
constexpr uint64_t kPassOnMs = 2000;
// How often a poll of a mailbox that other programs watch too looks for itself: one of them may
// have taken its bell, and been killed with it.
constexpr uint64_t kLookMs = 700;
// A program that finds that it is not alone tells the others by a bell, which is not handed on for
// long.
constexpr uint64_t kJoinedMs = kPassOnMs - 200;

Error overloaded() {
  return {Code::overloaded, "as many polls are waiting as this server takes on",
          static_cast<int>(5000 + random_below(10'000))};
}

}  // namespace

// What is to be done once the mutex is released. The endings' texts are the caller's.
struct Room::Answers {
  std::vector<std::pair<PollPtr, Ending>> endings;
  std::vector<std::pair<PollPtr, Error>> refusals;
  std::vector<PollPtr> reads;
  std::vector<Note> notes;
};

void Poll::gone() { room.leave(shared_from_this()); }

Room::Room(const Clock& clock, Bells& bells, std::function<void()> wake, const RoomLimits& limits)
    : clock_(clock), bells_(bells), wake_(std::move(wake)), limits_(limits) {}

// --- coming in ---------------------------------------------------------------------------------

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
  place_of(client, nullptr);
  if (const PollPtr older = std::exchange(client.poll, poll)) supersede(older, todo);
  take_place(*poll);
  client.cursor = asked.after;
  client.by_cursor = asked.by_cursor && !asked.foreign;
  const bool up_to_date = client.by_cursor && mailbox.current && !mailbox.shared &&
                          asked.after == mailbox.known && poll->has_place;
  if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (up_to_date) {
    park(mailbox, poll);
    todo.notes.push_back(acknowledgement_of(client));
  } else if (hold > 0) {
    poll->state = Poll::State::slowed;
    slowed_.emplace(clock_.steady_ms() + hold, poll);
  } else {
    poll->rings_seen = mailbox.rings;
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

// How long a client is held back that asks again for what it has just been given.
uint64_t Room::hold_ms(Client& client, const Question& asked) const {
  const bool same = asked.by_cursor && asked.after == client.cursor &&
                    asked.foreign == !client.by_cursor && client.given_ms;
  if (!same) client.given_ms.reset();
  const bool soon = same && clock_.steady_ms() < *client.given_ms + kLoopMs;
  client.repeats = soon ? client.repeats + 1 : 0;
  if (client.repeats <= kRepeatsBelieved) return 0;
  const unsigned doublings = std::min(client.repeats - kRepeatsBelieved - 1, 3U);
  return std::min(kHoldFirstMs << doublings, kHoldMostMs);
}

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

void Room::supersede(const PollPtr& older, Answers& todo) {
  const bool fighting = older->was_parked && clock_.steady_ms() < older->parked_ms + kFightMs;
  if (older->state == Poll::State::reading) {
    older->superseded = true;
  } else if (older->state == Poll::State::parked && fighting) {
    unpark(older);
    older->state = Poll::State::late;
    late_.emplace(older->parked_ms + kFightMs, older);
  } else if (older->state == Poll::State::slowed) {
    older->state = Poll::State::late;
    late_.emplace(clock_.steady_ms() + kFightMs, older);
  } else if (older->state == Poll::State::parked) {
    end(older, {.reason = Reason::superseded}, todo);
  }
}

// --- reading -----------------------------------------------------------------------------------

void Room::read(Desk& desk, const PollPtr& poll) {
  ++poll->reads;
  const Question& asked = poll->question;
  ReadRequest request;
  request.user = asked.user;
  request.client = asked.client;
  request.limit = asked.limit;
  {
    Lock lock(mutex_);
    if (asked.by_cursor) request.after = poll->cursor;
    request.foreign = asked.foreign && !poll->reset;
    if (poll->has_place) request.park_until = wall(poll->deadline_ms);
    if (Mailbox* mailbox = known(asked.user)) {
      request.watch_until = mailbox->watch_noted = watch_until(*mailbox);
    }
  }
  desk.store.read(request, [this, &desk, poll](const Or<Reading>& result) {
    if (!result) {
      read_failed(desk, poll, result.error());
    } else if (result->raw && result->count == 0) {
      adopt_then_read(desk, poll);
    } else {
      read_done(desk, poll, *result);
    }
  });
}

void Room::adopt_then_read(Desk& desk, const PollPtr& poll) {
  desk.store.adopt_all(poll->question.user, [this, &desk, poll](const Or<bool>& adopted) {
    if (!adopted) {
      read_failed(desk, poll, adopted.error());
      return;
    }
    {
      Lock lock(mutex_);
      if (poll->state == Poll::State::ended) return;
      if (const Mailbox* mailbox = known(poll->question.user)) poll->rings_seen = mailbox->rings;
    }
    read(desk, poll);
  });
}

void Room::read_done(Desk& desk, const PollPtr& poll, const Reading& reading) {
  Answers todo;
  bool wake = false;
  bool joined = false;  // another program watches, of which we did not know
  bool waits = false;
  std::optional<uint64_t> stray;
  {
    Lock lock(mutex_);
    Mailbox* mailbox = known(poll->question.user);
    const bool undisturbed = mailbox != nullptr && mailbox->rings == poll->rings_seen;
    if (mailbox != nullptr) {
      joined = !std::exchange(mailbox->shared, reading.shared) && reading.shared;
    }
    if (undisturbed) {
      mailbox->current = true;
      mailbox->known = reading.newest;
    }
    if (undisturbed || (mailbox != nullptr && reading.count > 0)) {
      // What the bell was about has been read; where that is nothing, it was another program's.
      const auto bell = std::exchange(mailbox->bell, std::nullopt);
      if (reading.count == 0 && reading.shared) stray = bell;
    }
    if (Client* client = current_client(poll)) client->written = reading.count == 0;
    if (poll->state != Poll::State::ended) {
      go_on(poll, undisturbed ? mailbox : nullptr, reading, todo);
      waits = poll->state == Poll::State::parked;
      wake = sooner();
    }
  }
  if (joined) hand_on(desk, poll->question.user, clock_.wall_ms() - kJoinedMs);
  if (stray) pass_on(desk, poll->question.user, *stray);
  carry_out(desk, todo);
  if (wake) wake_();
  if (waits && reading.shared) look_later(desk, poll);
}

void Room::look_later(Desk& desk, const PollPtr& poll) {
  desk.loop.at(clock_.steady_ms() + kLookMs, [this, &desk, poll, reads = poll->reads.load()] {
    {
      Lock lock(mutex_);
      if (poll->state != Poll::State::parked || poll->reads != reads) return;
      read_again(poll);
    }
    read(desk, poll);
  });
}

// After a read: ends the poll, parks it, or reads once more. `undisturbed` is its mailbox where no
// ring came in between.
void Room::go_on(const PollPtr& poll, Mailbox* undisturbed, const Reading& reading, Answers& todo) {
  poll->missed += reading.missed;
  poll->reset = poll->reset || reading.reset;
  poll->cursor = reading.cursor;
  if (reading.count > 0) {
    end(poll, {Reason::messages, reading.count, reading.messages}, todo);
  } else if (poll->superseded) {
    end(poll, {.reason = Reason::superseded}, todo);
  } else if (closing_) {
    end(poll, {.reason = Reason::shutdown}, todo);
  } else if (clock_.steady_ms() >= poll->deadline_ms) {
    end(poll, {.reason = out_of_time(*poll)}, todo);
  } else if (undisturbed == nullptr || reading.cursor < reading.newest) {
    // (It stopped short where all that it had room for has expired.)
    read_again(poll);
    todo.reads.push_back(poll);
  } else if (!poll->has_place) {
    turn_away(poll, overloaded(), todo);
  } else {
    park(*undisturbed, poll);
  }
}

// Each program that watches a mailbox gets a bell, but one that is quick may take two: it hands on
// the one that brought it nothing, ever more slowly, until whoever it was for has had time to take
// it.
void Room::pass_on(Desk& desk, const std::string& user, uint64_t since_ms) {
  const uint64_t now = clock_.wall_ms();
  const uint64_t age = now - std::min(now, since_ms);
  if (age > kPassOnMs) return;
  desk.loop.at(clock_.steady_ms() + std::max(age / 2, kPassOnFirstMs),
               [this, &desk, user, since_ms] { hand_on(desk, user, since_ms); });
}

void Room::hand_on(Desk& desk, const std::string& user, uint64_t since_ms) {
  std::optional<Bells::Place> place;
  {
    Lock lock(mutex_);
    if (const Mailbox* mailbox = known(user)) place = mailbox->watched;
  }
  if (place) {
    bells_.hand_on(*place, user, since_ms);
  } else {
    desk.store.ring(user, since_ms);
  }
}

// A poll that was parked stays: Redis will be back, and then it is read again. One that has only
// just come is told.
void Room::read_failed(Desk& desk, const PollPtr& poll, const Error& error) {
  Answers todo;
  bool again = false;
  bool refuse = false;
  bool wake = false;
  {
    Lock lock(mutex_);
    if (poll->state == Poll::State::ended) return;
    Mailbox* mailbox = known(poll->question.user);
    const bool for_good = error.code != Code::store_unavailable;
    refuse = !for_good && (!poll->was_parked || poll->superseded || closing_ || mailbox == nullptr);
    again = !for_good && !refuse && clock_.steady_ms() < poll->deadline_ms;
    if (for_good) {
      turn_away(poll, error, todo);
    } else if (refuse) {
      finish(poll, Reason::error);
    } else if (!again) {
      end(poll, {.reason = out_of_time(*poll)}, todo);
    } else {
      mailbox->current = false;
      park(*mailbox, poll);
    }
    wake = sooner();
  }
  if (refuse) poll->caller->refuse(error);
  carry_out(desk, todo);
  if (wake) wake_();
  if (!again) return;
  desk.loop.at(clock_.steady_ms() + kRereadMs + random_below(kRereadMs), [this, &desk, poll] {
    {
      Lock lock(mutex_);
      if (poll->state != Poll::State::parked) return;
      read_again(poll);
    }
    read(desk, poll);
  });
}

void Room::read_again(const PollPtr& poll) {
  unpark(poll);
  poll->state = Poll::State::reading;
  poll->rings_seen = mailbox_of(poll->question.user).rings;
}

// --- waiting -----------------------------------------------------------------------------------

void Room::park(Mailbox& mailbox, const PollPtr& poll) {
  poll->state = Poll::State::parked;
  if (!poll->was_parked) poll->parked_ms = clock_.steady_ms();
  poll->was_parked = true;
  poll->deadline = deadlines_.emplace(poll->deadline_ms, poll);
  if (!mailbox.watched) mailbox.watched = bells_.watch(mailbox.user);
}

void Room::unpark(const PollPtr& poll) {
  if (poll->state == Poll::State::parked) deadlines_.erase(poll->deadline);
}

void Room::rung(Desk& desk, std::string_view user, std::string_view element) {
  const Ring ring = parse_ring(element);
  if (ring.kind == Ring::Kind::raw) {
    adopt(desk, std::string(user), std::string(element));
    return;
  }
  Answers todo;
  bool wake = false;
  bool nobody = false;   // knows this mailbox here
  bool unasked = false;  // its clients are between two polls
  std::optional<uint64_t> stray;
  {
    Lock lock(mutex_);
    Mailbox* here = known(user);
    // A lane may have listened on for a mailbox that was forgotten, and is here again.
    nobody = here == nullptr || !here->watched;
    if (here != nullptr) {
      Mailbox& mailbox = *here;
      ++mailbox.rings;
      if (ring.kind == Ring::Kind::bell && !nobody) {
        // Of two bells that come before one read is through, the second is for somebody else.
        if (mailbox.bell) stray = ring.since;
        if (!mailbox.bell) mailbox.bell = ring.since;
        unasked = !stray && !anybody_asks(mailbox);
      }
      // A ring that carries a message names the newest there was when it was taken, and whatever
      // comes later rings again.
      const bool newest = ring.kind == Ring::Kind::message && !(ring.id < mailbox.known);
      // One that tells nothing new may have hung there for another program before this one came.
      const bool stale = ring.kind == Ring::Kind::message && !(mailbox.known < ring.id);
      if (stale && !nobody && mailbox.shared) stray = clock_.wall_ms();
      mailbox.current = newest || (mailbox.current && ring.kind == Ring::Kind::message);
      if (newest) mailbox.known = ring.id;
      for (Client& client : mailbox.clients) ring_client(client, ring, todo);
      wake = sooner();
    }
  }
  // Nobody waits for it here: somebody elsewhere may.
  if (nobody) desk.store.ring(user, ring.since != 0 ? ring.since : clock_.wall_ms());
  if (unasked) find_out_whose(desk, std::string(user), ring.since);
  if (stray) pass_on(desk, std::string(user), *stray);
  carry_out(desk, todo);
  if (wake) wake_();
}

// A bell came while no client of the mailbox is asking. Whoever asks next here will read anyway;
// but was it meant for another program? Only Redis knows whether there is one.
void Room::find_out_whose(Desk& desk, const std::string& user, uint64_t since_ms) {
  desk.loop.at(clock_.steady_ms() + kPassOnFirstMs, [this, &desk, user, since_ms] {
    std::optional<Note> note;  // none: nobody here knows the mailbox any more
    {
      Lock lock(mutex_);
      if (Mailbox* mailbox = known(user)) {
        if (mailbox->bell != since_ms || anybody_asks(*mailbox)) return;  // it is being read for
        note = note_of(mailbox->clients.front());
        mailbox->watch_noted = note->watch_until;
      }
    }
    if (!note) return pass_on(desk, user, since_ms);
    write_down(desk, *note, [this, &desk, user, since_ms](const Or<Reading>& noted) {
      if (!noted || noted->shared) return pass_on(desk, user, since_ms);
      Lock lock(mutex_);
      Mailbox* mailbox = known(user);
      if (mailbox != nullptr && mailbox->bell == since_ms) mailbox->bell.reset();
    });
  });
}

void Room::ring_client(Client& client, const Ring& ring, Answers& todo) {
  const PollPtr poll = client.poll;
  if (!poll || poll->state != Poll::State::parked) return;
  const Cursor at = poll->cursor;
  const bool carried = ring.kind == Ring::Kind::message && poll->question.by_cursor;
  const bool same_epoch = carried && (at.epoch == ring.id.epoch || at == Cursor{});
  const uint64_t expires = ring.element.expires;
  if (same_epoch && ring.id.seq <= at.seq) return;  // it has that one
  if (same_epoch && ring.id.seq == at.seq + 1 && (expires == 0 || expires > clock_.wall_ms())) {
    poll->cursor = ring.id;
    Ending ending{.reason = Reason::messages, .count = 1};
    ending.single = ring.element.body;
    client.written = client.written && ring.element.body.size() <= kDropAtOnceBytes;
    end(poll, ending, todo);
    return;
  }
  read_again(poll);
  todo.reads.push_back(poll);
}

void Room::missed_rings(Desk& desk, const std::vector<std::string>& users) {
  Answers todo;
  {
    Lock lock(mutex_);
    for (const auto& user : users) {
      Mailbox* mailbox = known(user);
      if (mailbox == nullptr) continue;
      ++mailbox->rings;
      mailbox->current = false;
      for (Client& client : mailbox->clients) {
        if (!client.poll || client.poll->state != Poll::State::parked) continue;
        read_again(client.poll);
        todo.reads.push_back(client.poll);
      }
    }
  }
  carry_out(desk, todo);
}

// The element is in nobody's hands but ours: not to be given up while Redis is away.
void Room::adopt(Desk& desk, const std::string& user, const std::string& raw) {
  desk.store.adopt(user, raw, [this, &desk, user, raw](const Or<Pushed>& pushed) {
    if (pushed) return;
    desk.loop.at(clock_.steady_ms() + kRereadMs,
                 [this, &desk, user, raw] { adopt(desk, user, raw); });
  });
}

// --- going out ---------------------------------------------------------------------------------

void Room::end(const PollPtr& poll, Ending ending, Answers& todo) {
  ending.cursor = poll->cursor;
  ending.missed = poll->missed;
  ending.reset = poll->reset;
  ending.retry_after_ms = pause_ms(*poll, ending.reason, inside_);
  delivered_.messages.add(ending.count);
  delivered_.bytes.add(ending.messages.size() + ending.single.size());
  delivered_.missed.add(ending.missed);
  finish(poll, ending.reason);
  todo.endings.emplace_back(poll, ending);
}

Reason Room::out_of_time(const Poll& poll) {
  return poll.question.outlives_admission ? Reason::kicked : Reason::timeout;
}

// When to come back. Spread, so that those who were answered together do not return together.
uint64_t Room::pause_ms(const Poll& poll, Reason reason, size_t crowd) {
  switch (reason) {
    case Reason::timeout:
      return poll.question.timeout_ms > 0 ? 1 + random_below(250) : 0;
    case Reason::superseded:
      return poll.state == Poll::State::late ? kFightMs + random_below(kFightMs) : 0;
    case Reason::shutdown:
      return 100 + random_below(200 + std::min<size_t>(crowd, 20'000) / 2);
    default:
      return 0;
  }
}

// The one exit: whatever happens to a poll, it passes here once.
void Room::finish(const PollPtr& poll, Reason reason) {
  unpark(poll);
  poll->state = Poll::State::ended;
  --inside_;
  if (poll->has_place) --places_taken_;
  ++ended_.at(static_cast<size_t>(reason));
  Client* client = current_client(poll);
  if (client == nullptr) return;
  client->poll.reset();
  client->since_ms = clock_.steady_ms();
  if (reason == Reason::messages) client->given_ms = client->since_ms;
  place_of(*client, &lapsing_);
}

void Room::leave(const PollPtr& poll) {
  Answers todo;
  {
    Lock lock(mutex_);
    if (poll->state == Poll::State::ended) return;
    Client* client = current_client(poll);
    finish(poll, Reason::gone);
    if (client != nullptr) {
      // It will not be back in a moment: nothing is kept warm for it.
      client->since_ms = 0;
      todo.notes.push_back(note_of(*client));
      forget(*client);
    }
  }
  carry_out(poll->desk, todo);
}

std::vector<std::shared_ptr<const Admission>> Room::admissions(std::string_view user) const {
  std::vector<std::shared_ptr<const Admission>> admissions;
  Lock lock(mutex_);
  const Mailbox* mailbox = known(user);
  if (mailbox == nullptr) return admissions;
  for (const Client& client : mailbox->clients) {
    if (!client.poll || !client.poll->question.admission) continue;
    const auto& admission = client.poll->question.admission;
    const bool there = std::any_of(admissions.begin(), admissions.end(), [&](const auto& other) {
      return other->claim.key() == admission->claim.key();
    });
    if (!there) admissions.push_back(admission);
  }
  return admissions;
}

std::vector<std::string> Room::users() const {
  std::vector<std::string> users;
  Lock lock(mutex_);
  users.reserve(mailboxes_.size());
  for (const auto& [user, mailbox] : mailboxes_) users.push_back(user);
  return users;
}

void Room::kick(Desk& desk, std::string_view user, std::string_view key) {
  Answers todo;
  {
    Lock lock(mutex_);
    const Mailbox* mailbox = known(user);
    if (mailbox == nullptr) return;
    std::vector<PollPtr> out;
    for (const Client& client : mailbox->clients) {
      if (!client.poll || !client.poll->question.admission) continue;
      if (client.poll->question.admission->claim.key() == key) out.push_back(client.poll);
    }
    for (const PollPtr& poll : out) {
      Client* client = current_client(poll);
      end(poll, {.reason = Reason::kicked}, todo);
      // It will not be back: nothing is kept warm for it.
      client->since_ms = 0;
      todo.notes.push_back(note_of(*client));
      forget(*client);
    }
  }
  carry_out(desk, todo);
}

void Room::close(Desk& desk) {
  Answers todo;
  {
    Lock lock(mutex_);
    closing_ = true;
    for (const auto& [due, poll] : late_) {
      if (poll->state == Poll::State::late) end(poll, {.reason = Reason::shutdown}, todo);
    }
    late_.clear();
    for (const auto& [due, poll] : slowed_) {
      if (poll->state == Poll::State::slowed) end(poll, {.reason = Reason::shutdown}, todo);
    }
    slowed_.clear();
    while (!deadlines_.empty()) {
      const PollPtr poll = deadlines_.begin()->second;
      Client* client = current_client(poll);
      end(poll, {.reason = Reason::shutdown}, todo);
      if (client == nullptr) continue;
      todo.notes.push_back(note_of(*client));
      todo.notes.back().watch_until = 0;
    }
  }
  carry_out(desk, todo);
}

std::optional<uint64_t> Room::tick(Desk& desk) {
  Answers todo;
  std::optional<uint64_t> next;
  {
    Lock lock(mutex_);
    const uint64_t now = clock_.steady_ms();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      const PollPtr poll = deadlines_.begin()->second;
      end(poll, {.reason = out_of_time(*poll)}, todo);
    }
    while (!late_.empty() && late_.begin()->first <= now) {
      const PollPtr poll = std::move(late_.begin()->second);
      late_.erase(late_.begin());
      if (poll->state == Poll::State::late) end(poll, {.reason = Reason::superseded}, todo);
    }
    while (!slowed_.empty() && slowed_.begin()->first <= now) {
      const PollPtr poll = std::move(slowed_.begin()->second);
      slowed_.erase(slowed_.begin());
      if (poll->state != Poll::State::slowed) continue;
      read_again(poll);
      todo.reads.push_back(poll);
    }
    while (!lapsing_.empty() && lapsing_.front()->since_ms + kLapseMs <= now) {
      Client& client = *lapsing_.front();
      todo.notes.push_back(note_of(client));
      client.mailbox->watch_noted = todo.notes.back().watch_until;
      place_of(client, &resting_);
    }
    // (No more are kept warm than may be parked.)
    while (!resting_.empty() &&
           (resting_.front()->since_ms + kWarmMs <= now || resting_.size() > limits_.parked)) {
      forget(*resting_.front());
    }
    next = next_due();
    next_tick_ = next;
  }
  carry_out(desk, todo);
  return next;
}

std::optional<uint64_t> Room::next_due() const {
  std::optional<uint64_t> next;
  const auto consider = [&next](uint64_t due) { next = std::min(due, next.value_or(due)); };
  if (!deadlines_.empty()) consider(deadlines_.begin()->first);
  if (!late_.empty()) consider(late_.begin()->first);
  if (!slowed_.empty()) consider(slowed_.begin()->first);
  if (!lapsing_.empty()) consider(lapsing_.front()->since_ms + kLapseMs);
  if (!resting_.empty()) consider(resting_.front()->since_ms + kWarmMs);
  return next;
}

// Whether something has become due before whoever ticks means to come back.
bool Room::sooner() {
  const auto next = next_due();
  if (!next || (next_tick_ && *next_tick_ <= *next)) return false;
  next_tick_ = next;
  return true;
}

void Room::carry_out(Desk& desk, const Answers& todo) {
  for (const auto& [poll, ending] : todo.endings) poll->caller->answer(to_json(ending));
  for (const auto& [poll, error] : todo.refusals) poll->caller->refuse(error);
  // Who has gone is noted before others are read for: there may be room for one client more then.
  for (const auto& note : todo.notes) {
    if (note.only_acknowledges) {
      acknowledge(desk, note);
    } else {
      write_down(desk, note, [this, user = note.user](const Or<Reading>& noted) {
        if (!noted) doubt(user);
      });
    }
  }
  for (const auto& poll : todo.reads) read(desk, poll);
}

void Room::acknowledge(Desk& desk, const Note& note) {
  const auto done = [this, &desk, user = note.user, name = note.client](const Or<bool>& there) {
    if (!there) return doubt(user);
    if (*there) return;
    // Somebody has emptied the store: what is written there must be all of it.
    Answers todo;
    {
      Lock lock(mutex_);
      const Mailbox* mailbox = known(user);
      if (mailbox == nullptr) return;
      for (const Client& client : mailbox->clients) {
        if (client.name == name) todo.notes.push_back(note_of(client));
      }
    }
    carry_out(desk, todo);
  };
  desk.store.acknowledge(note.user, note.client, *note.after, note.park_until, done);
}

void Room::write_down(Desk& desk, const Note& note, Store::Then<Reading> then) {
  ReadRequest request;
  request.user = note.user;
  request.client = note.client;
  request.after = note.after;
  request.watch_until = note.watch_until;
  request.park_until = note.park_until;
  desk.store.read(request, std::move(then));
}

// A note that may not have arrived: the next poll must ask Redis itself.
void Room::doubt(std::string_view user) {
  Lock lock(mutex_);
  Mailbox* mailbox = known(user);
  if (mailbox == nullptr) return;
  mailbox->current = false;
  mailbox->watch_noted = 0;
}

// --- clients -----------------------------------------------------------------------------------

Room::Client* Room::current_client(const PollPtr& poll) {
  Mailbox* mailbox = known(poll->question.user);
  if (mailbox == nullptr) return nullptr;
  auto& clients = mailbox->clients;
  const auto client =
      std::find_if(clients.begin(), clients.end(), [&](const Client& c) { return c.poll == poll; });
  return client != clients.end() ? &*client : nullptr;
}

void Room::place_of(Client& client, Absent* list) {
  if (client.list != nullptr) client.list->erase(client.place);
  client.list = list;
  if (list != nullptr) client.place = list->insert(list->end(), &client);
}

void Room::forget(Client& client) {
  place_of(client, nullptr);
  Mailbox& mailbox = *client.mailbox;
  mailbox.clients.remove_if([&](const Client& c) { return &c == &client; });
  if (!mailbox.clients.empty()) return;
  if (mailbox.watched) bells_.unwatch(*mailbox.watched, mailbox.user);
  mailboxes_.erase(mailboxes_.find(mailbox.user));
}

bool Room::anybody_asks(const Mailbox& mailbox) {
  return std::any_of(mailbox.clients.begin(), mailbox.clients.end(),
                     [](const Client& client) { return client.poll != nullptr; });
}

// For a client that is parked and up to date: the least that must be written.
Room::Note Room::acknowledgement_of(Client& client) {
  Note note = note_of(client);
  Mailbox& mailbox = *client.mailbox;
  note.only_acknowledges = client.written && note.watch_until <= mailbox.watch_noted + kNoteAheadMs;
  if (!note.only_acknowledges) mailbox.watch_noted = note.watch_until;
  client.written = true;
  return note;
}

Room::Note Room::note_of(const Client& client) const {
  Note note;
  note.user = client.mailbox->user;
  note.client = client.name;
  if (client.by_cursor) note.after = client.cursor;
  note.watch_until = watch_until(*client.mailbox);
  if (client.poll && client.poll->state == Poll::State::parked) {
    note.park_until = wall(client.poll->deadline_ms);
  }
  return note;
}

// Until when this program will be listening for a mailbox, as far as can be said now. Wall clock.
uint64_t Room::watch_until(const Mailbox& mailbox) const {
  if (closing_) return 0;
  uint64_t until = 0;
  for (const Client& client : mailbox.clients) {
    if (!client.poll) {
      until = std::max(until, client.since_ms);
    } else if (client.poll->has_place) {
      until = std::max(until, client.poll->deadline_ms + kNoteAheadMs);
    }
  }
  return until == 0 ? 0 : wall(until + kWarmMs + kNoteMarginMs);
}

uint64_t Room::wall(uint64_t steady_ms) const {
  return clock_.wall_ms() + steady_ms - clock_.steady_ms();
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
