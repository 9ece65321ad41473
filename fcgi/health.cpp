// SPDX-License-Identifier: MIT
#include "health.h"

#include <memory>
#include <utility>
#include <vector>

#include "handlers/health.h"
#include "mailbox/parted_probe.h"
#include "mailbox/probe.h"
#include "per_part.h"

namespace letterbox {

void add_health_routes(const FigureSources& sources) {
  Program& program = sources.program;
  std::vector<Loop*> loops;
  for (const auto& worker : program.workers()) loops.push_back(&worker->loop);
  for (auto& worker : program.workers()) {
    const auto probe = std::make_shared<PerPart<Probe, WriteProbe, PartedProbe>>(
        worker->redis.all(), [&](Redis& part) {
          return std::make_unique<WriteProbe>(worker->loop, part, program.name());
        });
    const auto health = std::make_shared<HealthHandler>(
        worker->loop, loops, [probe](Probe::Then then) { probe->all().ask(std::move(then)); },
        program.ending(), program.name());
    for (Front* front : worker->fronts) {
      Router& router = front->router;
      router.add("GET", "/healthz", [health](const Request&, const Query&, Answer answer) {
        health->healthz(std::move(answer));
      });
      router.add("GET", "/readyz", [health](const Request&, const Query&, Answer answer) {
        health->readyz(std::move(answer));
      });
      router.add("GET", "/metrics", [sources](const Request&, const Query&, Answer answer) {
        answer.send({200, metrics_text(sources), {}, kMetricsType});
      });
    }
  }
}

}  // namespace letterbox
