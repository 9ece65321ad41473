// SPDX-License-Identifier: MIT
//
// Reading one request by libfcgi. Both readers, the workers and the slow one, come through here.
#pragma once

#include <fcgiapp.h>

#include <string_view>

#include "base/fd.h"
#include "fastcgi/request.h"

namespace letterbox {

// Reads the request that waits on `fd` into `wire`. On a protocol error libfcgi has closed the
// descriptor, and the result is false. Otherwise the caller ends with FCGX_Free(&wire, 0), which
// gives the buffers back (17 KB a request) and leaves the connection open.
bool read_wire(FCGX_Request& wire, int fd);

// Where the head of a request that was gathered piece by piece is put for libfcgi to read. It holds
// a descriptor all the time, since there may be none left when it is wanted; if it got none, it
// tries again with each request.
class GatheredWire {
 public:
  GatheredWire();
  // As read_wire().
  bool read(FCGX_Request& wire, std::string_view records);

 private:
  Fd file_;
};

// The request as handlers see it. Its views point into `wire`.
Request to_request(FCGX_Request& wire, size_t body_max);

}  // namespace letterbox
