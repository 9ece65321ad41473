// SPDX-License-Identifier: MIT
#include "poll_face.h"

#include <malloc.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "handlers/alive.h"
#include "handlers/events.h"
#include "handlers/poll.h"
#include "mailbox/admission_cache.h"
#include "mailbox/keys.h"
#include "mailbox/parted_notices.h"
#include "requests/entrance.h"
#include "requests/gate.h"
#include "settings.h"
#include "waiting/address.h"
#include "waiting/review.h"

namespace letterbox {

namespace {

// Ends polls at their deadlines, on the first worker's loop.
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

// Gives memory back to the system after a crowd has left: otherwise the allocator keeps it.
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
  size_t most_ = 0;  // mailboxes at once, at most, since memory was last given back
};

void add_routes(Worker& worker, Room& room, AdmissionCache& cache, Review& review,
                const SignedTokens& keys, const Origins& named, const Config& config) {
  const PollRules rules = poll_rules(config);
  worker.book = std::make_unique<PresenceBook>(worker.loop, worker.presence,
                                               static_cast<size_t>(config.integer("clients-max")));
  const auto gate = std::make_shared<Gate>(worker.desk, worker.access, cache, review, keys, named,
                                           worker.loop.clock(), config.flag("open"));
  const auto entrance = std::make_shared<Entrance>(worker.desk, *gate, room, *worker.book);
  const auto poll = std::make_shared<PollHandler>(*gate, *entrance, rules);
  const auto events =
      std::make_shared<EventsHandler>(worker.desk, *gate, *entrance, room, event_rules(config));
  const auto alive =
      std::make_shared<AliveHandler>(worker.desk, *gate, *worker.book, rules.timeout_ms);
  // A poll has effects, and only its answer makes them useful: HEAD is refused.
  constexpr auto kNoHead = Router::Head::refused;
  worker.public_front.router.add(
      "GET", "/poll",
      [gate, entrance, poll](const Request& request, const Query& query, Answer answer) {
        poll->poll(request, query, std::move(answer));
      },
      kNoHead);
  worker.public_front.router.add(
      "GET", "/events",
      [gate, entrance, events](const Request& request, const Query& query, Answer answer) {
        events->events(request, query, std::move(answer));
      },
      kNoHead);
  worker.public_front.router.add(
      "POST", "/ack", [events](const Request& request, const Query& query, Answer answer) {
        events->acknowledge(request, query, std::move(answer));
      });
  for (const auto method : {"GET", "POST"}) {
    worker.public_front.router.add(
        method, "/alive", [gate, alive](const Request& request, const Query& query, Answer answer) {
          alive->alive(request, query, std::move(answer));
        });
  }
}

}  // namespace

// The waiting room and the objects that serve it, on the first worker's loop.
class PollFace::House {
 public:
  House(Program& program, size_t most_lanes)
      : first_(*program.workers().front()),
        limits_(room_limits(program.config(), program.descriptors())),
        lanes_(program.clock(), parts(), most_lanes),
        room_(
            program.clock(), lanes_, [this] { first_.loop.post([this] { ticker_.look(); }); },
            limits_),
        ticker_(first_.desk, room_),
        housekeeper_(first_.loop, room_),
        cache_(program.clock()),
        review_(program.clock(), cache_, room_),
        notices_(first_.loop, first_.redis.all(), what_notices_do(), &first_.notices_figures) {
    program.log().info("up to ", limits_.parked, " polls may wait: --max-parked is ",
                       program.config().integer("max-parked"), ", and there are ",
                       program.descriptors(), " file descriptors");
    lanes_.open(
        room_,
        [&program](size_t part) {
          std::vector<ListenerHost> hosts;
          for (auto& worker : program.workers()) {
            hosts.push_back({worker->desk, *worker->redis.all()[part], &worker->lane_figures});
          }
          return hosts;
        },
        program.log());
    for (size_t part = 0; part < parts(); ++part) open_address(program, part);
    for (auto& worker : program.workers()) {
      for (const auto& store : worker->stores.each()) {
        hear_own_pushes(*store, worker->desk, room_);
      }
    }
    first_.loop.post([this] {
      housekeeper_.look();
      notices_.start();
    });
  }
  // REQUIRES: the loops have ended.
  ~House() {
    for (const auto& address : addresses_) address->close();
  }

  // Any thread: answers all polls and ends all streams.
  void close() {
    first_.loop.post([this] { room_.close(first_.desk); });
  }

  Room& room() { return room_; }
  AdmissionCache& cache() { return cache_; }
  Review& review() { return review_; }
  PartedLanes& lanes() { return lanes_; }

 private:
  // The addresses of the parts are spread over the workers.
  void open_address(Program& program, size_t part) {
    Worker& worker = *program.workers()[part % program.workers().size()];
    const auto& address = addresses_.emplace_back(std::make_shared<Address>(
        ListenerHost{worker.desk, *worker.redis.all()[part], &worker.address_figures}, room_,
        program.id()));
    worker.loop.post([address] { address->start(); });
  }

  Notices::Events what_notices_do() {
    return {.heard =
                [this](std::string_view user) {
                  review_.changed(first_.desk, first_.access, std::string(user));
                },
            .listening = [this] { review_.listening(first_.desk, first_.access); },
            .deaf = [this] { cache_.shut(); }};
  }

  // In this order, since each needs some of those before it.
  Worker& first_;
  const RoomLimits limits_;
  PartedLanes lanes_;
  Room room_;
  std::vector<std::shared_ptr<Address>> addresses_;  // by part
  Ticker ticker_;
  Housekeeper housekeeper_;
  AdmissionCache cache_;
  Review review_;
  PartedNotices notices_;
};

Result<PollSettings, std::string> poll_settings(const Config& config) {
  auto named = origins(config);
  if (!named) return named.error();
  auto keys = signed_tokens(config);
  if (!keys) return keys.error();
  return PollSettings{std::move(*named), std::move(*keys)};
}

PollFace::PollFace(Program& program, const PollSettings& settings)
    : house_(std::make_unique<House>(program,
                                     static_cast<size_t>(program.config().integer("lanes")))) {
  for (auto& worker : program.workers()) {
    if (settings.origins.any()) {
      worker->public_front.router.guard_by(
          [&named = settings.origins](const Request& request, Answer& answer) {
            return named.admits(request, answer);
          });
    }
    add_routes(*worker, house_->room(), house_->cache(), house_->review(), settings.keys,
               settings.origins, program.config());
  }
}

PollFace::~PollFace() = default;

void PollFace::close() { house_->close(); }
const Room& PollFace::room() const { return house_->room(); }
const PartedLanes& PollFace::lanes() const { return house_->lanes(); }

}  // namespace letterbox
