// SPDX-License-Identifier: MIT
//
// The listening socket of a program: inherited as a descriptor (spawn-fcgi passes 0), or opened
// here. Used once, as a program starts.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace letterbox {

// `where` is the path of a unix socket (made with mode 0660), HOST:PORT with a numeric host, fd:N
// for a descriptor that listens already, or empty for fd:0. The socket is non-blocking. The error
// is a sentence.
Result<Fd, std::string> listen_on(std::string_view where);

// Where a listening socket is, for a person: unix:PATH, HOST:PORT, or `a unix socket` without a
// path.
std::string place_of(int listening_fd);

// Whether only this machine can connect to it: a unix socket, or loopback. What is neither, or
// can't be told, is not.
bool is_of_this_machine(int listening_fd);

}  // namespace letterbox
