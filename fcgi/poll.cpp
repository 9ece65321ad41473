// SPDX-License-Identifier: MIT
//
// letterbox-poll: the public face. Clients wait here for what comes into their mailbox.
#include "handlers/poll.h"

#include <malloc.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "handlers/alive.h"
#include "handlers/gate.h"
#include "health.h"
#include "mailbox/notices.h"
#include "program.h"
#include "settings.h"
#include "waiting/address.h"
#include "waiting/door.h"
#include "waiting/lanes.h"
#include "waiting/room.h"

namespace {

using namespace letterbox;

constexpr std::string_view kSentence =
    "lets clients wait for messages: the public face of Letterbox, a FastCGI program";
constexpr std::string_view kExamples =
    "  spawn-fcgi -s /run/letterbox/poll.sock -M 0660 -- letterbox-poll --redis "
    "unix:/run/redis/redis.sock\n"
    "  letterbox-poll --listen /run/letterbox/poll.sock --open\n";

// A request has a body of its own only by mistake.
constexpr size_t kBodyMax = 4096;

// Ends polls when they are due, on the first worker's loop.
class Ticker {
 public:
  Ticker(Desk& desk, Room& room) : desk_(desk), room_(room) {}

  void look() {
    if (timer_) desk_.loop.cancel(*std::exchange(timer_, std::nullopt));
    const auto next = room_.tick(desk_);
    if (!next) return;
    timer_ = desk_.loop.at(*next, [this] {
      timer_.reset();
      look();
    });
  }

 private:
  Desk& desk_;
  Room& room_;
  std::optional<Loop::Timer> timer_;
};

// Gives the memory of a crowd that has left back to the system: the allocator keeps it otherwise.
class Housekeeper {
 public:
  Housekeeper(Loop& loop, Room& room) : loop_(loop), room_(room) {}

  void look() {
    const Room::Crowd crowd = room_.take_crowd();
    most_ = std::max(most_, crowd.most);
    if (most_ >= kCrowd && crowd.now < most_ / 4) {
      malloc_trim(0);
      most_ = crowd.now;
    }
    loop_.at(loop_.clock().steady_ms() + kEveryMs, [this] { look(); });
  }

 private:
  static constexpr uint64_t kEveryMs = 5000;
  static constexpr size_t kCrowd = 1000;

  Loop& loop_;
  Room& room_;
  size_t most_ = 0;  // mailboxes since memory was given back last
};

// The waiting room, and all that looks after it, on the first worker's loop.
class House {
 public:
  House(Program& program, size_t most_lanes)
      : first_(*program.workers().front()),
        limits_(room_limits(program.config(), program.descriptors())),
        lanes_(program.clock(), most_lanes),
        room_(
            program.clock(), lanes_, [this] { first_.loop.post([this] { ticker_.look(); }); },
            limits_),
        ticker_(first_.desk, room_),
        housekeeper_(first_.loop, room_),
        door_(program.clock(), room_),
        notices_(first_.loop, first_.redis, what_notices_do()) {
    program.log().info("up to ", limits_.parked, " polls may wait: --max-parked is ",
                       program.config().integer("max-parked"), ", and there are ",
                       program.descriptors(), " file descriptors");
    std::vector<ListenerHost> hosts;
    for (auto& worker : program.workers()) {
      hosts.push_back({worker->desk, worker->redis, &worker->lane_figures});
    }
    address_ = std::make_shared<Address>(hosts.front(), room_, program.id());
    lanes_.open(room_, std::move(hosts), program.log());
    for (auto& worker : program.workers()) hear_own_pushes(*worker);
    first_.loop.post([this] {
      housekeeper_.look();
      notices_.start();
      address_->start();
    });
  }

  // REQUIRES: the loops have ended.
  ~House() { address_->close(); }

  // Any thread: answers everybody.
  void close() {
    first_.loop.post([this] { room_.close(first_.desk); });
  }

  Room& room() { return room_; }
  Door& door() { return door_; }
  Lanes& lanes() { return lanes_; }
  size_t clients_most() const { return limits_.clients; }

 private:
  void hear_own_pushes(Worker& worker) {
    worker.store.tell_here(
        {.rung = [this, &worker](std::string_view user,
                                 const Ring& ring) { room_.rung(worker.desk, user, ring); },
         .in_doubt =
             [this, &worker](const std::vector<std::string>& users) {
               room_.missed_rings(worker.desk, users);
             }});
  }

  Notices::Events what_notices_do() {
    return {.heard =
                [this](std::string_view user) {
                  door_.notice(first_.desk, first_.access, std::string(user));
                },
            .listening = [this] { door_.open(first_.desk, first_.access); },
            .deaf = [this] { door_.shut(); }};
  }

  // In the order in which they need one another.
  Worker& first_;
  const RoomLimits limits_;
  Lanes lanes_;
  Room room_;
  std::shared_ptr<Address> address_;
  Ticker ticker_;
  Housekeeper housekeeper_;
  Door door_;
  Notices notices_;
};

void add_routes(Worker& worker, House& house, const SignedTokens& keys, const Origins& named,
                const Config& config) {
  const PollRules rules = poll_rules(config);
  worker.book = std::make_unique<PresenceBook>(worker.loop, worker.presence, house.clients_most());
  const auto gate = std::make_shared<Gate>(worker.desk, worker.access, house.door(), keys, named,
                                           worker.loop.clock(), config.flag("open"));
  const auto poll =
      std::make_shared<PollHandler>(worker.desk, *gate, house.room(), *worker.book, rules);
  const auto alive =
      std::make_shared<AliveHandler>(worker.desk, *gate, *worker.book, rules.timeout_ms);
  // A poll has effects, and its answer is what they are for: it is not asked by HEAD.
  worker.router.add(
      "GET", "/poll",
      [gate, poll](const Request& request, const Query& query, Answer answer) {
        poll->poll(request, query, std::move(answer));
      },
      Router::Head::refused);
  for (const auto method : {"GET", "POST"}) {
    worker.router.add(method, "/alive",
                      [gate, alive](const Request& request, const Query& query, Answer answer) {
                        alive->alive(request, query, std::move(answer));
                      });
  }
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  if (const auto status =
          program.configure("letterbox-poll", kSentence, poll_options(), kExamples, argc, argv)) {
    return *status;
  }
  const auto most_lanes = static_cast<size_t>(program.config().integer("lanes"));
  const auto named = origins(program.config());
  if (!named) return *program.complain(named.error());
  const auto keys = signed_tokens(program.config());
  if (!keys) return *program.complain(keys.error());
  if (const auto status = program.open(kBodyMax, most_lanes)) return *status;

  House house(program, most_lanes);
  for (auto& worker : program.workers()) {
    if (named->any()) {
      worker->router.guard_by([&named](const Request& request, Answer& answer) {
        return named->admits(request, answer);
      });
    }
    add_routes(*worker, house, *keys, *named, program.config());
  }
  add_health_routes({program, &house.room(), &house.lanes()});
  return program.run([&house] { house.close(); });
}
