// SPDX-License-Identifier: MIT
//
// bench: Letterbox and its rivals, measured in one run. See --help.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "failure.h"
#include "guardian.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "runner.h"
#include "text.h"

namespace letterbox::bench {
namespace {

/// The repository, found from the place of this program: a directory of its build folder.
Places find_places() {
  Places places;
  const auto build = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  places.build = build;
  for (auto root = build; root.has_relative_path(); root = root.parent_path()) {
    if (!std::filesystem::exists(root / "scripts/service")) continue;
    places.root = root;
    return places;
  }
  throw Failure("bench must lie within the repository's build folder");
}

/// Each client of a crowd needs a descriptor, here and in every server that inherits the limit.
void raise_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int measure(Options options, Places places, const std::string& directory) {
  places.directory = directory;
  const Description machine = describe_machine(places);
  const std::vector<std::string> missing = leave_out_missing(options, places);
  for (const std::string& reason : missing) {
    std::fprintf(stderr, "not measured: %s\n", reason.c_str());
  }
  const Results results = run_all(options, places);
  const Report report{options, machine, missing, results};
  std::fputs((options.smoke ? as_verdicts(report) : as_table(report)).c_str(), stdout);
  if (!options.json.empty()) write_file(options.json, as_json(report));
  if (!options.svg.empty()) write_file(options.svg, as_svg(report));
  const bool all_right = std::all_of(
      options.stacks.begin(), options.stacks.end(),
      [&](const std::string& stack) { return !is_letterbox(stack) || results.right(stack); });
  return all_right ? 0 : 1;
}

int run(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  try {
    const Places places = find_places();
    raise_open_files();
    return guarded(longest(options), [&](const std::string& directory) {
      try {
        return measure(options, places, directory);
      } catch (const std::exception& failure) {
        std::fprintf(stderr, "\nbench: %s\n", failure.what());
        return 2;
      }
    });
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench: %s\n", failure.what());
    return 2;
  }
}

}  // namespace
}  // namespace letterbox::bench

int main(int argc, char** argv) { return letterbox::bench::run(argc, argv); }
