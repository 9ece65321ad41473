// SPDX-License-Identifier: MIT
#include "handlers/health.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "model/json_writer.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

constexpr int kRetryMs = 1000;

Response fine(std::string_view status, std::string_view program) {
  JsonWriter json;
  json.begin_object().key("status").string(status).key("program").string(program).end_object();
  return {200, json.take() + "\n"};
}

Response not_ready(const std::string& why) { return to_response({Code::not_ready, why, kRetryMs}); }

}  // namespace

// Counts the workers that have not answered yet. For the thread of the loop that asks.
struct HealthHandler::RollCall {
  Answer answer;
  size_t missing;
  std::optional<Loop::Timer> deadline;
};

HealthHandler::HealthHandler(Loop& loop, std::vector<Loop*> all, Probe probe,
                             const std::atomic<bool>& ending, std::string_view program)
    : loop_(loop),
      all_(std::move(all)),
      probe_(std::move(probe)),
      ending_(ending),
      program_(program) {}

void HealthHandler::healthz(Answer answer) {
  const auto call =
      std::make_shared<RollCall>(RollCall{std::move(answer), all_.size(), std::nullopt});
  // A turn of a loop takes at most milliseconds, because nothing in it blocks.
  call->deadline = loop_.at(loop_.clock().steady_ms() + kHealthyMs, [this, call] {
    call->deadline.reset();
    call->answer.send(
        to_response({Code::unhealthy,
                     std::to_string(call->missing) + " of " + std::to_string(all_.size()) +
                         " workers have given no sign of life for a second",
                     kRetryMs}));
  });
  const auto present = [this, call] {
    assert(call->missing > 0);
    if (--call->missing > 0 || !call->deadline) return;
    loop_.cancel(*std::exchange(call->deadline, std::nullopt));
    call->answer.send(fine("ok", program_));
  };
  for (Loop* worker : all_) {
    worker->post([this, present] { loop_.post(present); });
  }
}

void HealthHandler::readyz(Answer answer) const {
  if (ending_) {
    answer.send(not_ready("the program is ending"));
    return;
  }
  probe_([owed = std::move(answer), program = program_](const std::string& trouble) mutable {
    owed.send(trouble.empty() ? fine("ready", program) : not_ready(trouble));
  });
}

}  // namespace letterbox
