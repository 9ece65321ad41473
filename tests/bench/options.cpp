// SPDX-License-Identifier: MIT
#include "options.h"

#include <getopt.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cases.h"
#include "stack.h"
#include "text.h"

namespace letterbox::bench {
namespace {

void print_help() {
  std::printf(
      "Usage: bench [option…]\n"
      "\n"
      "Measures Letterbox and its rivals, each started in turn in a temporary directory, and\n"
      "checks every message. Prints a table; progress goes to stderr. Loopback only; it ends by\n"
      "itself, and so does everything it starts. Exit status: 0 if every message of Letterbox was\n"
      "right, 1 if one was not, 2 if it could not run.\n"
      "\n"
      "  --cases LIST    cases from the list below, default all\n"
      "  --stacks LIST   stacks from the list below, default all that are installed, of Letterbox\n"
      "                  the ordinary one\n"
      "  --rounds N      how often each case is run with each stack, default 3; medians are shown\n"
      "  --seconds S     how long a rate is measured, default 5\n"
      "  --scale F       factor of the clients and messages, default 1\n"
      "  --redis-share F each Redis process gets at most this part of a core, as if the machine "
      "had\n"
      "                  more cores and Redis were the limit; as root\n"
      "  --json FILE     writes everything that was measured\n"
      "  --svg FILE      draws it\n"
      "  --smoke         Letterbox alone, over one Redis and a cluster, small: are all messages "
      "right?\n"
      "  --help          this\n"
      "\n"
      "Cases:\n");
  for (const Case& item : all_cases()) {
    std::printf("  %-16s %s\n", item.name.c_str(), item.title.c_str());
  }
  std::printf("\nStacks:\n");
  for (const StackKind& kind : all_stacks()) {
    if (kind.name != std::string_view(kFloor)) std::printf("  %-15s %s\n", kind.name, kind.title);
  }
  std::printf(
      "\n"
      "Example: one quick look at two of them, a tenth of the crowd\n"
      "  build/bench --cases closed,crowd --rounds 1 --seconds 3 --scale 0.1\n");
}

[[noreturn]] void reject(const std::string& why) {
  std::fprintf(stderr, "bench: %s (--help says more)\n", why.c_str());
  std::exit(2);
}

double number(const char* option, const char* text, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= least && value <= most)) {
    char range[64];
    std::snprintf(range, sizeof range, "a number from %g to %g", least, most);
    reject(std::string("--") + option + " takes " + range + ", not '" + text + "'");
  }
  return value;
}

std::vector<std::string> names(const char* option, const char* text,
                               const std::vector<std::string>& known) {
  std::vector<std::string> list = split(text, ',');
  for (const std::string& name : list) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      reject(std::string("--") + option + ": there is no '" + name + "'");
    }
  }
  if (list.empty()) reject(std::string("--") + option + " is empty");
  return list;
}

std::vector<std::string> case_names() {
  std::vector<std::string> list;
  for (const Case& item : all_cases()) list.push_back(item.name);
  return list;
}

std::vector<std::string> stack_names() {
  std::vector<std::string> list;
  for (const StackKind& kind : all_stacks()) list.emplace_back(kind.name);
  std::erase(list, kFloor);
  return list;
}

/// Small and quick; other options still hold.
void make_smoke(Options& options) {
  options.smoke = true;
  options.cases = {"closed",    "paced",         "crowd",           "burst",
                   "broadcast", "stream-closed", "stream-broadcast"};
  options.stacks = {kLetterbox, kCluster};
  options.rounds = 1;
  options.seconds = 0.5;
  options.scale = 0.1;
}

}  // namespace

unsigned Options::count(unsigned full) const {
  return std::max(8u, static_cast<unsigned>(std::lround(full * scale)));
}

Options read_options(int argc, char** argv) {
  static const option table[] = {{"cases", required_argument, nullptr, 'c'},
                                 {"stacks", required_argument, nullptr, 't'},
                                 {"rounds", required_argument, nullptr, 'r'},
                                 {"seconds", required_argument, nullptr, 's'},
                                 {"scale", required_argument, nullptr, 'f'},
                                 {"redis-share", required_argument, nullptr, 'x'},
                                 {"json", required_argument, nullptr, 'j'},
                                 {"svg", required_argument, nullptr, 'v'},
                                 {"smoke", no_argument, nullptr, 'm'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {nullptr, 0, nullptr, 0}};
  Options options;
  for (int c = 0; (c = getopt_long(argc, argv, "", table, nullptr)) != -1;) {
    switch (c) {
      case 'c':
        options.cases = names("cases", optarg, case_names());
        break;
      case 't':
        options.stacks = names("stacks", optarg, stack_names());
        break;
      case 'r':
        options.rounds = static_cast<unsigned>(number("rounds", optarg, 1, 99));
        break;
      case 's':
        options.seconds = number("seconds", optarg, 0.2, 120);
        break;
      case 'f':
        options.scale = number("scale", optarg, 0.001, 1.5);
        break;
      case 'x':
        options.redis_share = number("redis-share", optarg, 0.01, 0.9);
        break;
      case 'j':
        options.json = optarg;
        break;
      case 'v':
        options.svg = optarg;
        break;
      case 'm':
        make_smoke(options);
        break;
      case 'h':
        print_help();
        std::exit(0);
      default:
        // getopt has printed the error.
        std::fputs("bench: --help says more\n", stderr);
        std::exit(2);
    }
  }
  if (optind < argc) reject(std::string("what is '") + argv[optind] + "'?");
  if (options.cases.empty()) options.cases = case_names();
  if (options.stacks.empty()) {
    options.stacks = stack_names();
    std::erase_if(options.stacks,
                  [](const std::string& name) { return is_letterbox(name) && name != kLetterbox; });
  }
  return options;
}

}  // namespace letterbox::bench
