// SPDX-License-Identifier: MIT
//
// Reads one request with libfcgi: one that has come whole, and one that the slow reader has
// gathered. Used by the switchboard, on its worker's thread.
//
// libfcgi reads from a descriptor by its function OS_Read(). These programs define a function of
// the same name, which libfcgi's calls find first: it gives libfcgi the bytes that a worker has
// already received, so that a request costs one receive. A libfcgi that was linked with
// -Bsymbolic-functions, as Ubuntu does by default, still calls its own OS_Read(). With such a
// libfcgi a worker only looks at the bytes (MSG_PEEK), and libfcgi receives them.
#pragma once

#include <fcgiapp.h>

#include <span>
#include <string_view>

#include "base/fd.h"
#include "fastcgi/request.h"

namespace letterbox {

// True if libfcgi calls our OS_Read(), and so takes bytes that were received for it.
bool libfcgi_takes_bytes();

// Reads a request into `wire`: first `received`, then the bytes that wait on `fd`. False: there was
// a protocol error, and libfcgi has closed the descriptor. Otherwise the caller ends with
// FCGX_Free(&wire, 0), which frees the buffers (17 KB a request) and leaves the connection open.
// REQUIRES: `received` is empty, or libfcgi_takes_bytes(); `received` lives as long as `wire` is
// read.
bool read_wire(FCGX_Request& wire, int fd, std::span<const unsigned char> received = {});

// A file in memory, into which the head of a gathered request is written for libfcgi to read. It
// keeps its descriptor, since the process may have none left later. If it could get none, it tries
// again with each request.
class GatheredWire {
 public:
  GatheredWire();
  // As read_wire(), from `records`.
  bool read(FCGX_Request& wire, std::string_view records);

 private:
  Fd file_;
};

// The request as handlers see it. Its views point into `wire`.
Request to_request(FCGX_Request& wire, size_t body_max);

}  // namespace letterbox
