// SPDX-License-Identifier: MIT
#include "mailbox/presence_book.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <memory>
#include <utility>

#include "base/rare.h"

namespace letterbox {

namespace {

// Notes that come within this time are written together.
constexpr uint64_t kGatherMs = 100;
constexpr uint64_t kRetryMs = 1000;
// Clients a batch (more, if the last user has several). Redis does nothing else while it writes a
// batch: 4 to 7 us for each client, and messages wait meanwhile.
constexpr size_t kBatch = 10;
constexpr uint64_t kLookMs = 5000;
// Bytes. nginx sets the address; it may be "unix:".
constexpr size_t kAddressMost = 64;
constexpr size_t kAgentMost = 200;

bool within_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// At most `most` bytes of a text, ending with a whole UTF-8 character.
std::string_view cut(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && within_character(text[most])) --most;
  return text.substr(0, most);
}

// An address as one word; "-" if there is none.
std::string_view address_word(std::string_view address) {
  const auto word = cut(address.substr(0, address.find(' ')), kAddressMost);
  assert(word.size() <= kAddressMost);
  return word.empty() ? "-" : word;
}

}  // namespace

PresenceBook::PresenceBook(Loop& loop, PresenceStore& store, size_t clients_most)
    : loop_(loop), store_(store), clients_most_(clients_most), absences_(store.absences()) {}

void PresenceBook::seen(std::string_view user, std::string_view client, std::string_view address,
                        std::string_view agent, uint64_t until_ms) {
  auto found = users_.find(user);
  if (found == users_.end()) found = users_.emplace(user, Clients{}).first;
  Known& known = client_of(found->second, client);
  PresentClient& noted = known.client;
  address = address_word(address);
  agent = cut(agent, kAgentMost);

  const uint64_t now = loop_.clock().wall_ms();
  const bool fresh = noted.last_ms <= now && now - noted.last_ms < kGridMs;
  if (fresh && until_ms <= noted.until_ms && address == noted.address && agent == noted.agent) {
    return;
  }
  const uint64_t slack = std::min(kGridMs, (until_ms - std::min(until_ms, now)) / 6);
  noted.last_ms = now;
  noted.until_ms = std::max(noted.until_ms, until_ms + slack);
  assert(noted.last_ms == now && noted.until_ms >= until_ms);
  noted.address = address;
  noted.agent = agent;
  write_later(found->first, found->second, known);
  if (!look_timer_) look_after();
}

// (A user has few clients.) One client too many replaces the one that would be gone first.
PresenceBook::Known& PresenceBook::client_of(Clients& clients, std::string_view name) const {
  const auto found = std::find_if(clients.begin(), clients.end(),
                                  [&](const Known& known) { return known.client.name == name; });
  if (found != clients.end()) return *found;
  if (clients.size() < clients_most_) {
    clients.emplace_back();
  } else {
    std::iter_swap(
        clients.end() - 1,
        std::min_element(clients.begin(), clients.end(), [](const auto& a, const auto& b) {
          return a.client.until_ms < b.client.until_ms;
        }));
    clients.back() = {};
  }
  clients.back().client.name = name;
  assert(clients.size() <= clients_most_);
  return clients.back();
}

void PresenceBook::write_later(const std::string& user, Clients& clients, Known& known) {
  const bool listed =
      std::any_of(clients.begin(), clients.end(), [](const Known& one) { return one.waits; });
  known.waits = true;
  if (!listed) waiting_.push_back(user);
  wake(kGatherMs);
}

void PresenceBook::wake(uint64_t in_ms) {
  if (write_timer_ || writing_) return;
  write_timer_ = loop_.at(loop_.clock().steady_ms() + in_ms, [this] {
    write_timer_.reset();
    write();
  });
}

// One batch at a time, so that other commands reach Redis between two batches.
void PresenceBook::write() {
  const auto batch = std::make_shared<const Batch>(take_batch());
  if (batch->empty()) return;
  assert(!writing_);
  writing_ = true;
  store_.note(*batch, [this, batch](const Or<bool>& taken) {
    assert(writing_);
    writing_ = false;
    if (!taken) {
      wake(kRetryMs);
      rare<"presence that could not be noted is offered again">();
      offer_again(*batch);
      return;
    }
    figures_.notes.add(batch->size());
    figures_.writes.add();
    if (waiting_.size() >= kBatch) {
      write();
    } else if (!waiting_.empty()) {
      wake(kGatherMs);
    }
  });
}

PresenceBook::Batch PresenceBook::take_batch() {
  const uint64_t now = loop_.clock().wall_ms();
  Batch batch;
  while (!waiting_.empty() && batch.size() < kBatch) {
    const auto found = users_.find(waiting_.front());
    waiting_.pop_front();
    if (found == users_.end()) continue;
    for (auto& [client, waits] : found->second) {
      if (std::exchange(waits, false) && client.until_ms > now) {
        batch.push_back({found->first, client});
      }
    }
  }
  return batch;
}

void PresenceBook::offer_again(const Batch& batch) {
  for (const auto& [user, client] : batch) {
    const auto found = users_.find(user);
    if (found == users_.end()) continue;
    for (auto& known : found->second) {
      if (known.client.name == client.name) write_later(user, found->second, known);
    }
  }
}

void PresenceBook::look_after() {
  look_timer_ = loop_.at(loop_.clock().steady_ms() + kLookMs, [this] {
    look_timer_.reset();
    forget_gone();
    if (std::exchange(absences_, store_.absences()) != store_.absences()) {
      for (auto& [user, clients] : users_) {
        for (auto& known : clients) write_later(user, clients, known);
      }
    }
    if (!users_.empty()) look_after();
  });
}

void PresenceBook::forget_gone() {
  const uint64_t now = loop_.clock().wall_ms();
  for (auto user = users_.begin(); user != users_.end();) {
    std::erase_if(user->second, [now](const Known& known) { return known.client.until_ms <= now; });
    user = user->second.empty() ? users_.erase(user) : std::next(user);
  }
}

}  // namespace letterbox
