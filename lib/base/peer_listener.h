// SPDX-License-Identifier: MIT
//
// Hears what becomes of whoever asked, while the answer is owed or being written.
#pragma once

namespace letterbox {

class PeerListener {
 public:
  virtual ~PeerListener() = default;
  // On the loop of the connection, holding no lock.
  // Once at most: it has gone.
  virtual void gone() = 0;
  // It has taken everything that was written, after some of it had to wait.
  virtual void took_all() {}
};

}  // namespace letterbox
