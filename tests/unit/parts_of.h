// SPDX-License-Identifier: MIT
//
// The fakes of an interface, one a part, and names that belong to a part. For one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/keys.h"

namespace letterbox::test {

template <class Fake>
class Fakes {
 public:
  // `arguments` are those of each fake's constructor.
  template <class... Arguments>
  explicit Fakes(size_t parts, const Arguments&... arguments) {
    for (size_t part = 0; part < parts; ++part) {
      fakes_.push_back(std::make_unique<Fake>(arguments...));
    }
  }

  Fake& operator[](size_t part) { return *fakes_.at(part); }
  size_t size() const { return fakes_.size(); }

  template <class Interface>
  std::vector<Interface*> as() const {
    std::vector<Interface*> all;
    for (const auto& fake : fakes_) all.push_back(fake.get());
    return all;
  }

 private:
  std::vector<std::unique_ptr<Fake>> fakes_;
};

// The `which`-th of the names that belong to `part`; with 0 the first.
inline std::string name_in(size_t part, size_t parts, size_t which = 0) {
  for (size_t i = 0;; ++i) {
    std::string name = "u" + std::to_string(i);
    if (part_of(name, parts) == part && which-- == 0) return name;
  }
}

}  // namespace letterbox::test
