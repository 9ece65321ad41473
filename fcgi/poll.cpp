// SPDX-License-Identifier: MIT
//
// letterbox-poll: the public face, at which clients wait for messages in their mailbox. With
// --push-listen the same process serves the private face as well.
#include <optional>
#include <vector>

#include "base/limits.h"
#include "health.h"
#include "poll_face.h"
#include "program.h"
#include "push_face.h"
#include "settings.h"

namespace {

using namespace letterbox;

constexpr std::string_view kSentence =
    "lets clients wait for messages: the public face of Letterbox, a FastCGI program";
constexpr std::string_view kExamples =
    "  spawn-fcgi -s /run/letterbox/poll.sock -M 0660 -- letterbox-poll --redis "
    "unix:/run/redis/redis.sock\n"
    "  letterbox-poll --listen /run/letterbox/poll.sock --open\n"
    "  letterbox-poll --listen /run/letterbox/poll.sock --push-listen /run/letterbox/push.sock\n";

}  // namespace

int main(int argc, char** argv) {
  Program program;
  if (const auto status =
          program.configure("letterbox-poll", kSentence, poll_options(), kExamples, argc, argv)) {
    return *status;
  }
  const Config& config = program.config();
  const auto polls = poll_settings(config);
  if (!polls) return *program.complain(polls.error());
  auto pushes = push_settings(config);
  if (!pushes) return *program.complain(pushes.error());

  std::vector<Opening> openings{{&Worker::public_front, config.text("listen"), kPollBodyBytes}};
  const bool both = !config.text("push-listen").empty();
  if (both) {
    openings.push_back({&Worker::private_front, config.text("push-listen"), pushes->rules.body_max,
                        pushes->keys.empty()});
  }
  const size_t kept_back = redis_descriptors(config) + webhook_descriptors(config);
  if (const auto status = program.open(openings, kept_back)) {
    return *status;
  }

  PollFace poll_face(program, *polls);
  std::optional<PushFace> push_face;
  if (both) push_face.emplace(program, std::move(*pushes));
  add_health_routes(
      {program, &poll_face.room(), &poll_face.lanes(), push_face ? &push_face->sweeper() : nullptr,
       push_face ? &push_face->guard() : nullptr, push_face ? &push_face->scheduler() : nullptr,
       push_face ? &push_face->webhook() : nullptr});
  return program.run([&poll_face, &push_face] {
    poll_face.close();
    if (push_face) push_face->close();
  });
}
