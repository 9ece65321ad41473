// SPDX-License-Identifier: MIT
//
// Reading one request by libfcgi. Both readers, the workers and the slow one, come through here.
//
// libfcgi reads from a descriptor, by a function of its own, OS_Read(). These programs have one of
// that name, too, which libfcgi's calls find first: it gives libfcgi the bytes that a worker has
// received already, so that a request costs one receive. A libfcgi that was linked with
// -Bsymbolic-functions, as Ubuntu does by default, calls its own all the same; there a worker may
// only look at the bytes (MSG_PEEK), and leaves it to libfcgi to receive them.
#pragma once

#include <fcgiapp.h>

#include <span>
#include <string_view>

#include "base/fd.h"
#include "fastcgi/request.h"

namespace letterbox {

// True if libfcgi takes bytes that were received for it.
bool libfcgi_takes_bytes();

// Reads a request into `wire`: first `received`, then what waits on `fd`. On a protocol error
// libfcgi has closed the descriptor, and the result is false. Otherwise the caller ends with
// FCGX_Free(&wire, 0), which gives the buffers back (17 KB a request) and leaves the connection
// open. REQUIRES: `received` is empty, or libfcgi_takes_bytes(); `received` lives as long as `wire`
// is read.
bool read_wire(FCGX_Request& wire, int fd, std::span<const unsigned char> received = {});

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
