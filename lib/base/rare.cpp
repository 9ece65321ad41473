// SPDX-License-Identifier: MIT
#include "base/rare.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/fd.h"

namespace letterbox {

// One write to the end of the file: several processes may be at it.
void note_rare(std::string_view sentence) {
  const char* const path = std::getenv("LETTERBOX_RARE");
  if (path == nullptr || *path == '\0') return;
  const std::string line = std::string(sentence) + "\n";
  const Fd file(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file) return;
  [[maybe_unused]] const auto written = write(file.get(), line.data(), line.size());
}

}  // namespace letterbox
