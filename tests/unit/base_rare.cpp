// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/rare.h"

using namespace letterbox;

namespace {

// Sets a variable of the environment while a test runs, and restores it afterwards.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { setenv(name_, before_.c_str(), 1); }  // empty counts as not set
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* const name_;
  std::string before_;
};

std::string new_file() {
  std::string path = "/tmp/lb.rare.XXXXXX";
  const int fd = mkstemp(path.data());
  REQUIRE(fd >= 0);
  close(fd);
  return path;
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a rare branch that is reached is written once, at the end of the file") {
  const std::string path = new_file();
  {
    const Variable variable("LETTERBOX_RARE", path);
    for (int i = 0; i < 3; ++i) rare<"a test asks for it">();
    rare<"a test asks for another one">();
  }
  CHECK(contents(path) == "a test asks for it\na test asks for another one\n");
  unlink(path.c_str());
}

TEST_CASE("a rare branch is written nowhere without a file, or if the file can't be written") {
  {
    const Variable variable("LETTERBOX_RARE", "");
    rare<"a test asks for nothing">();
  }
  const Variable variable("LETTERBOX_RARE", "/nowhere/at/all");
  rare<"a test asks for what can't be">();
}
