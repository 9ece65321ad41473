// SPDX-License-Identifier: MIT
//
// Hears what becomes of a client while its answer is owed or being written.
#pragma once

namespace letterbox {

class PeerListener {
 public:
  virtual ~PeerListener() = default;
  // The client has gone. Called once at most. Both are called on the loop of the connection,
  // holding no lock.
  virtual void gone() = 0;
  // The client has taken everything that was written, after some of it had to wait.
  virtual void took_all() {}
};

}  // namespace letterbox
