// SPDX-License-Identifier: MIT
//
// Hears that whoever asked has gone before the answer.
#pragma once

namespace letterbox {

class GoneListener {
 public:
  virtual ~GoneListener() = default;
  // Once at most, on the loop of the connection, holding no lock.
  virtual void gone() = 0;
};

}  // namespace letterbox
