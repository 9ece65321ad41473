// SPDX-License-Identifier: MIT
#include "redis/lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "base/rare.h"
#include "base/sync.h"

namespace letterbox {

namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// `error` is getaddrinfo()'s, 0 if there are addresses.
Addresses look_up(const std::string& host, int flags, int& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* all = nullptr;
  error = getaddrinfo(host.c_str(), nullptr, &hints, &all);
  return {error == 0 ? all : nullptr, freeaddrinfo};
}

// Asks no name server.
bool is_numeric(const std::string& host) {
  int error = 0;
  look_up(host, AI_NUMERICHOST, error);
  return error == 0;
}

}  // namespace

Hosts resolve_by_system(const std::string& host) {
  int error = 0;
  const auto all = look_up(host, 0, error);
  if (error != 0) {
    return std::string(error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error));
  }
  std::vector<std::string> hosts;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    // An address that both the hosts file and a name server know comes twice.
    if (std::find(hosts.begin(), hosts.end(), text.data()) == hosts.end()) {
      hosts.emplace_back(text.data());
    }
  }
  if (hosts.empty()) return "no address for " + host;
  return hosts;
}

// Shared with the thread, which may outlive the lookup and its loop.
struct Lookup::Question {
  Mutex mutex;
  Lookup* asker GUARDED_BY(mutex) = nullptr;  // null: the answer is not wanted any more
};

Lookup::Lookup(Loop& loop, const Resolver& resolver) : loop_(loop), resolver_(resolver) {}

Lookup::~Lookup() {
  cancel();
  leave_question();
}

void Lookup::find(const std::string& host, uint64_t patience_ms, Found found) {
  cancel();
  if (host != host_) leave_question();
  host_ = host;
  found_ = std::move(found);
  if (late_) {
    tell(*std::exchange(late_, std::nullopt));
  } else if (is_numeric(host)) {
    tell(std::vector<std::string>{host});
  } else if (!question_ && !ask(host)) {
    tell("no thread to look up " + host + " with");
  } else {
    patience_ = loop_.at(loop_.clock().steady_ms() + patience_ms, [this] {
      patience_.reset();
      tell("no name server has said in time where " + host_ + " is");
    });
  }
}

void Lookup::cancel() {
  found_ = {};
  if (patience_) loop_.cancel(*std::exchange(patience_, std::nullopt));
}

bool Lookup::ask(const std::string& host) {
  assert(!question_);
  auto question = std::make_shared<Question>();
  {
    Lock lock(question->mutex);
    question->asker = this;
  }
  try {
    std::thread([question, host, resolver = resolver_] {
      const Hosts hosts = resolver(host);
      Lock lock(question->mutex);
      if (question->asker == nullptr) return;
      question->asker->loop_.post([question, hosts] {
        Lookup* asker = nullptr;
        {
          Lock still(question->mutex);
          asker = question->asker;
        }
        // (The Lookup is destroyed on this thread only, so not in between.)
        if (asker != nullptr) asker->answered(hosts);
      });
    }).detach();
  } catch (const std::system_error&) {
    return false;
  }
  question_ = std::move(question);
  return true;
}

void Lookup::answered(const Hosts& hosts) {
  question_.reset();
  if (found_) {
    tell(hosts);
  } else {
    rare<"a name server answers when nobody waits any more">();
    late_ = hosts;
  }
}

void Lookup::tell(const Hosts& hosts) {
  assert(found_);
  assert(!hosts || !hosts->empty());
  const Found found = std::move(found_);
  cancel();
  found(hosts);
}

void Lookup::leave_question() {
  late_.reset();
  const auto question = std::exchange(question_, nullptr);
  if (!question) return;
  Lock lock(question->mutex);
  question->asker = nullptr;
}

}  // namespace letterbox
