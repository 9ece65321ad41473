// SPDX-License-Identifier: MIT
#include "fastcgi/slow_reader.h"

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "base/limits.h"
#include "base/rare.h"

namespace letterbox {

namespace {

// Of one peer in one turn of the loop: the others want theirs.
constexpr size_t kTurnBytes = 8 * kPieceBytes;

Arrival take_all(Gathering& gathering, std::span<const unsigned char> bytes) {
  auto arrival = Arrival::partial;
  while (arrival == Arrival::partial && !bytes.empty()) {
    const auto piece = bytes.first(std::min(gathering.wants(), bytes.size()));
    arrival = gathering.take(piece);
    bytes = bytes.subspan(piece.size());
  }
  return bytes.empty() ? arrival : Arrival::broken;
}

}  // namespace

// One request that is being gathered.
class SlowReader::Arriving final : public Loop::Watcher {
 public:
  Arriving(SlowReader& reader, Waiting waiting)
      : fd(waiting.fd),
        then(std::move(waiting.then)),
        gathering(std::move(waiting.gathering)),
        reader_(reader) {
    // One that can't be watched is given up in this turn, as if its peer had been silent for long.
    if (!reader_.loop_.watch(fd, EPOLLIN | EPOLLRDHUP, this)) last_ms_ -= kSlowRequestMs;
    be_patient();
  }
  ~Arriving() override { stop(); }
  Arriving(const Arriving&) = delete;
  Arriving& operator=(const Arriving&) = delete;

  void on_ready(uint32_t) override {
    last_ms_ = reader_.loop_.now_ms();
    auto& piece = reader_.piece_;
    for (size_t taken = 0; taken < kTurnBytes;) {
      const ssize_t n =
          recv(fd, piece.data(), std::min(gathering.wants(), piece.size()), MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      const auto arrival =
          n <= 0 ? Arrival::broken : gathering.take({piece.data(), static_cast<size_t>(n)});
      if (arrival != Arrival::partial) {
        reader_.finish(*this, arrival == Arrival::whole);
        return;
      }
      taken += static_cast<size_t>(n);
    }
  }

  // Stops watching `fd`, so that its connection can watch it again.
  void stop() {
    if (!timer_) return;
    reader_.loop_.unwatch(fd, this);
    reader_.loop_.cancel(*std::exchange(timer_, std::nullopt));
  }

  const int fd;
  const Then then;
  Gathering gathering;

 private:
  void be_patient() {
    timer_ = reader_.loop_.at(last_ms_ + kSlowRequestMs, [this] {
      const bool silent = reader_.loop_.now_ms() >= last_ms_ + kSlowRequestMs;
      be_patient();
      if (!silent) return;
      rare<"a request stops on its way">();
      reader_.finish(*this, false);
    });
  }

  SlowReader& reader_;
  uint64_t last_ms_ = reader_.loop_.clock().steady_ms();
  std::optional<Loop::Timer> timer_;  // none: it has stopped
};

SlowReader::SlowReader(Loop& loop, size_t body_max, size_t at_once)
    : loop_(loop), body_max_(body_max), at_once_(at_once), piece_(kPieceBytes) {}

SlowReader::~SlowReader() = default;

void SlowReader::add(int fd, std::span<const unsigned char> received, Then then) {
  Waiting waiting{fd, Gathering(body_max_), std::move(then)};
  const auto arrival = take_all(waiting.gathering, received);
  if (arrival != Arrival::partial) {
    const bool whole = arrival == Arrival::whole;
    waiting.then(whole ? std::optional(std::move(waiting.gathering)) : std::nullopt);
    return;
  }
  ++held_;
  if (arriving_.size() < at_once_) {
    begin(std::move(waiting));
  } else {
    rare<"a slow request waits for a place">();
    waiting_.push_back(std::move(waiting));
  }
}

void SlowReader::begin(Waiting waiting) {
  const int fd = waiting.fd;

  assert(arriving_.size() < at_once_ && !arriving_.contains(fd));
  arriving_[fd] = std::make_unique<Arriving>(*this, std::move(waiting));
}

void SlowReader::finish(Arriving& arriving, bool whole) {
  // `arriving` calls finish() from its own functions, so it must live until they have returned.
  auto node = arriving_.extract(arriving.fd);
  assert(node && held_ > 0);
  const std::shared_ptr<Arriving> done = std::move(node.mapped());
  done->stop();
  --held_;
  if (!waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    begin(std::move(next));
  }
  done->then(whole ? std::optional(std::move(done->gathering)) : std::nullopt);
  loop_.post([done] {});
}

}  // namespace letterbox
