// SPDX-License-Identifier: MIT
//
// letterbox-push: the private face alone, at which back ends push and administrators look at
// mailboxes.
#include <array>
#include <utility>

#include "health.h"
#include "program.h"
#include "push_face.h"
#include "settings.h"

namespace {

using namespace letterbox;

constexpr std::string_view kSentence =
    "puts messages into users' mailboxes: the private face of Letterbox, a FastCGI program";
constexpr std::string_view kExamples =
    "  spawn-fcgi -s /run/letterbox/push.sock -M 0660 -- letterbox-push --redis "
    "unix:/run/redis/redis.sock\n"
    "  letterbox-push --listen /run/letterbox/push.sock\n";

}  // namespace

int main(int argc, char** argv) {
  Program program;
  if (const auto status =
          program.configure("letterbox-push", kSentence, push_options(), kExamples, argc, argv)) {
    return *status;
  }
  auto settings = push_settings(program.config());
  if (!settings) return *program.complain(settings.error());
  const std::array openings{Opening{&Worker::private_front, program.config().text("listen"),
                                    settings->rules.body_max, settings->keys.empty()}};
  if (const auto status = program.open(openings, webhook_descriptors(program.config()))) {
    return *status;
  }

  PushFace face(program, std::move(*settings));
  add_health_routes({.program = program,
                     .sweeper = &face.sweeper(),
                     .guard = &face.guard(),
                     .scheduler = &face.scheduler(),
                     .webhook = &face.webhook()});
  return program.run([&face] { face.close(); });
}
