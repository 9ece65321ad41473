// SPDX-License-Identifier: MIT
//
// The listening socket: given on a descriptor (by spawn-fcgi on 0), or opened here.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace letterbox {

// `where` is a path of a unix socket (made with mode 0660), HOST:PORT with a numeric host, fd:N for
// a descriptor that listens already, or empty for fd:0. Non-blocking. The error is a sentence.
Result<Fd, std::string> listen_on(std::string_view where);

}  // namespace letterbox
