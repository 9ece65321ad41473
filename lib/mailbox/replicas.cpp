// SPDX-License-Identifier: MIT
#include "mailbox/replicas.h"

#include <cassert>

#include "base/rare.h"

namespace letterbox {

Replicas::~Replicas() { redis_.loop().forget(this); }

void Replicas::confirm_by(size_t replicas, uint64_t most_ms) {
  replicas_ = replicas;
  most_ms_ = most_ms;
}

Error Replicas::unconfirmed() {
  return store_unavailable("not enough replicas of the message store have it");
}

void Replicas::confirm(Then then) {
  if (waiting_.empty() && !confirming_) redis_.loop().gather_later(this);
  waiting_.push_back({std::move(then), redis_.logins()});
}

// A WAIT covers every write before it on this connection, and delays every command behind it. So
// one WAIT runs at a time, and writes answered meanwhile share the next one.
void Replicas::flush() {
  if (confirming_ || waiting_.empty()) return;
  assert(replicas_ > 0);
  confirming_ = true;
  const std::string replicas = std::to_string(replicas_);
  const std::string most = std::to_string(most_ms_);
  redis_.command(
      {"WAIT", replicas, most},
      [this, asked_for = std::exchange(waiting_, {})](const Reply& reply) {
        answered(reply, asked_for);
      },
      most_ms_);
}

void Replicas::answered(const Reply& reply, const std::vector<Write>& asked_for) {
  assert(confirming_);
  confirming_ = false;
  const bool confirmed = reply.ok() && reply.number() >= replicas_;
  if (!confirmed) rare<"too few replicas have a push">();
  // Without a connection nobody will ever say what has become of the others either.
  const auto lost = reply.came() ? std::vector<Write>{} : std::exchange(waiting_, {});
  const uint64_t login = redis_.logins();
  for (const auto& write : asked_for) write.then(confirmed && write.login == login);
  for (const auto& write : lost) write.then(false);
  flush();
}

}  // namespace letterbox
