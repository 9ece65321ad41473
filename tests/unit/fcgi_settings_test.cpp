// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "fcgi/settings.h"

namespace letterbox {
namespace {

Config poll_config(size_t workers) {
  std::string program = "letterbox-poll";
  std::string count = "--workers=" + std::to_string(workers);
  char* words[] = {program.data(), count.data(), nullptr};
  return Config::parse(poll_options(), 2, words, [](const char*) -> const char* { return nullptr; })
      .value();
}

TEST_CASE("parked polls leave descriptors for lanes and workers, however many workers there are") {
  // Per worker: epoll, its wake-up, the file of gathered requests, Redis.
  constexpr size_t kOfAWorker = 4;
  // Standard streams, the listening socket, log and signals.
  constexpr size_t kOfTheProgram = 6;
  constexpr size_t kDescriptors = 1024;
  for (size_t workers = 1; workers <= 64; ++workers) {
    CAPTURE(workers);
    const Config config = poll_config(workers);
    const auto lanes = static_cast<size_t>(config.integer("lanes"));
    CHECK(room_limits(config, kDescriptors).parked + lanes + workers * kOfAWorker + kOfTheProgram <=
          kDescriptors);
  }
}

}  // namespace
}  // namespace letterbox
